"""The rule sets of ``deploy/nftables`` as they lie there, each layer by itself and all together, port by port.

`make zones` sends to every port there is; here it is those that somebody uses and a few hundred others.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace

import pytest
from tests.integration.zones.conftest import zones
from tests.zones.layers import LAYERS, Layer
from tests.zones.matrix import ALLOWED, FIREWALL, ZONES, Flow, address, router
from tests.zones.namespaces import RULES, Net, ZoneCommandError
from tests.zones.probing import PROTOCOLS, forget, sixes, sweep
from tests.zones.sweep import ACK, SYN

KNOWN = (22, 53, 80, 111, 123, 179, 443, 514, 2049, 4059, 4222, 5432, 6222, 8123, 8222, 8420, 8422, 8443, 9000, 9440)
PORTS = (*KNOWN, *random.Random(4).sample(range(10_000, 60_000), 150))
INWARD = [(a, b) for a in ("carrier", "field", "dmz") for b in ("field", "dmz", "core", "enterprise") if a != b]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_what_passes_is_the_matrix_and_nothing_else_through(layer: Layer) -> None:
    with zones(**layer.loaded) as net:
        found = layer.passed(sweep(net, PORTS, protocols=PROTOCOLS, pairs=layer.pairs))
    assert found == layer.expected


def test_core_dials_the_dmz_and_nothing_dials_core_from_the_dmz_or_the_field(firewalled: Net) -> None:
    forget(firewalled)
    inward = [(a, b) for a in ("carrier", "field", "dmz") for b in ("core", "enterprise")]
    assert sweep(firewalled, PORTS, protocols=PROTOCOLS, pairs=inward).arrived == set()
    assert {f.target for f in ALLOWED if f.source == "core"} == {"dmz"}


@pytest.mark.parametrize("source_port", [53, 8422, 8443])
def test_a_well_known_source_port_opens_no_door(firewalled: Net, source_port: int) -> None:
    forget(firewalled)
    assert sweep(firewalled, PORTS, pairs=INWARD, source_port=source_port).arrived <= set(ALLOWED)


NO_BEGINNINGS = {"ack": ACK, "syn-ack": SYN | ACK, "fin": 0x01, "rst": 0x04, "xmas": 0x29, "null": 0, "all": 0x3F}


@pytest.mark.parametrize("flags", NO_BEGINNINGS.values(), ids=NO_BEGINNINGS)
def test_segments_that_begin_no_connection_do_not_pass_even_to_an_open_port(firewalled: Net, flags: int) -> None:
    forget(firewalled)
    arrived = sweep(firewalled, KNOWN, flags=flags).arrived
    assert {f for f in arrived if f.protocol == "tcp"} == set()


def test_without_rules_every_packet_of_these_sweeps_arrives() -> None:
    with zones() as net:
        for flags in (SYN, *NO_BEGINNINGS.values()):
            forget(net)
            found = sweep(net, KNOWN, pairs=[("dmz", "core")], flags=flags)
            assert len(found.arrived) == len(found.taken) == 2 * len(KNOWN) + 1


@pytest.mark.parametrize("claimed", ["core", "enterprise", "dmz"])
def test_a_sender_that_claims_an_address_of_another_zone_is_dropped(firewalled: Net, claimed: str) -> None:
    forget(firewalled)
    pairs = [(a, b) for a, b in INWARD if claimed not in {a, b}]
    assert sweep(firewalled, KNOWN, pairs=pairs, source=address(claimed)).arrived == set()


def test_another_host_of_core_may_not_dial_the_bus_of_the_dmz(firewalled: Net) -> None:
    forget(firewalled)
    assert sweep(firewalled, KNOWN, pairs=[("core", "dmz")], source="10.80.3.11").arrived == set()


def test_the_firewall_itself_answers_no_zone(firewalled: Net) -> None:
    firewalled.rules(FIREWALL, _HEARD)
    for zone in ZONES:
        sweep(firewalled, KNOWN, pairs=[(zone, zone)], source=address(zone), target=router(zone))
    (row,) = (r["counter"] for r in firewalled.table(FIREWALL, "counter", "inet", "heard", "taken") if "counter" in r)
    assert row["packets"] == 0


_HEARD = """
table inet heard { counter taken { }
  chain behind { type filter hook input priority 350; counter name taken
  }
}
"""


_SIX = """
import socket, sys
for port in (8443, 8422, 8420, 4059, 22):
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], port))
"""


def test_version_six_of_ip_does_not_pass(firewalled: Net) -> None:
    for source in ZONES:
        for number, target in enumerate(ZONES):
            if source != target:
                firewalled.run(source, sys.executable, "-c", _SIX, f"fd80::{number}:10")
    assert [sixes(firewalled, zone) for zone in ZONES] == [0] * len(ZONES)


def test_the_rule_sets_load_again_while_they_are_in_force_and_lose_no_rule(guarded: Net) -> None:
    before = {zone: len(guarded.table(zone, "ruleset")) for zone in ("field", "dmz", "core", "enterprise")}
    for zone in before:
        guarded.rules(zone, RULES / f"{zone}.nft")
    assert {zone: len(guarded.table(zone, "ruleset")) for zone in before} == before


def test_a_rule_too_many_is_seen() -> None:
    with zones(firewall=True) as net:
        net.rules(FIREWALL, 'add rule inet openami_firewall forward iifname "dmz" oifname "core" tcp dport 5432 accept')
        found = sweep(net, KNOWN, pairs=[("dmz", "core")]).arrived
    assert found == {Flow("dmz", "core", "tcp", 5432)}


def test_a_rule_that_is_missing_is_seen() -> None:
    with zones(firewall=True) as net:
        net.rules(FIREWALL, "flush chain inet openami_firewall forward")
        assert sweep(net, KNOWN, pairs=[("field", "dmz"), ("core", "dmz")]).arrived == set()


def test_every_layer_holds_what_the_matrix_says_of_it() -> None:
    whole = next(layer for layer in LAYERS if layer.name == "all together")
    assert whole.expected == set(ALLOWED)
    assert replace(whole, name="x").pairs == whole.pairs


def test_a_rule_set_that_does_not_load_is_a_fault_and_no_reason_to_skip(firewalled: Net) -> None:
    with pytest.raises(ZoneCommandError, match="syntax error"):
        firewalled.rules("dmz", "table inet broken { chain input { type filter nonsense } }")
