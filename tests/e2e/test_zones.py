"""The real processes zone by zone, each in its own network namespace, under all rules of ``deploy/nftables``."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.e2e.own_meter import installed, last_quarters, place_made, row, shipped, stored, until, zone_in_daytime
from tests.zones.matrix import ALLOWED, ZONES, Flow, address, zone_of
from tests.zones.namespaces import NoNamespacesError, namespaces
from tests.zones.probing import load, sweep
from tests.zones.site import Site, site
from tests.zones.sockets import CORE_BUS, LISTENS, STANDING, begun, listening

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(300)]
REACHABLE = sorted(end for ends in LISTENS.values() for end in ends if end.protocol == "tcp" and end != CORE_BUS)


@pytest.fixture(scope="module")
def apart() -> Iterator[Site]:
    """An installation without simulated meters, its zones apart."""
    try:
        with namespaces() as net:
            load(net, senders=True, firewall=True, targets=True)
            with site(net) as running:
                yield running
    except NoNamespacesError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
async def test_a_push_passes_every_zone_from_the_meter_to_the_store(apart: Site, protocol: str) -> None:
    meter = await shipped(apart.core)
    place = await place_made(apart.core, zone=zone_in_daytime(), cell="own")
    ends = last_quarters(4)
    await installed(apart.core, meter, place, since=ends[0] - timedelta(days=1))

    async def kept() -> set[int] | None:
        # Until the DMZ has been told of the meter it holds back what comes from it.
        push = meter.push([row(end, 250) for end in ends])[3]
        await asyncio.to_thread(apart.push_from_carrier, push, protocol=protocol)
        await asyncio.sleep(1)
        return set((await stored(apart.core, meter)).value.tolist()) or None

    assert await until(kept, what="the push is in core's store") == {250}


def test_people_of_the_enterprise_zone_reach_the_portal_over_tls(apart: Site) -> None:
    script = """
import http.client, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
connection = http.client.HTTPSConnection(sys.argv[2], int(sys.argv[3]), context=context, timeout=10)
connection.request("GET", "/api/v1/session")
print(connection.getresponse().status, connection.sock.version())
"""
    certificate = apart.core.web_certificate
    assert certificate is not None
    told = apart.net.run("enterprise", sys.executable, "-c", script, certificate, "10.80.3.10", "8420")
    assert told.split() == ["401", "TLSv1.3"]


def test_nothing_listens_in_a_zone_that_is_not_written_down(apart: Site) -> None:
    assert {zone: listening(apart.net, zone) for zone in ZONES} == LISTENS


async def test_connections_are_made_from_core_outward_and_none_to_core_from_the_dmz_or_the_field(apart: Site) -> None:
    async def all_there() -> set[Flow] | None:
        found = begun(apart.net)
        return found if len(found) >= len(STANDING) else None

    found = await until(all_there, what="core has dialed the DMZ and the listener the gateway")
    assert found == STANDING


def test_the_matrix_holds_while_the_processes_run(apart: Site) -> None:
    ports = (22, 53, 80, 443, 4059, 4222, 5432, 6222, 8123, 8222, 8420, 8422, 8443, *range(30_000, 30_100))
    assert sweep(apart.net, ports).taken == set(ALLOWED)


async def test_every_process_is_reached_over_the_allowed_flows_and_over_no_other(apart: Site) -> None:
    script = """
import json, socket, sys
found = []
for host, port in json.load(sys.stdin):
    try:
        socket.create_connection((host, port), timeout=1).close()
        found.append([host, port])
    except OSError:
        pass
print(json.dumps(found))
"""
    ends = json.dumps([[end.host, end.port] for end in REACHABLE])

    async def reached(zone: str) -> set[Flow]:
        told = await asyncio.to_thread(apart.net.run, zone, sys.executable, "-S", "-c", script, text=ends)
        flows = {Flow(zone, zone_of(host), "tcp", port) for host, port in json.loads(told)}
        return {flow for flow in flows if flow.target != zone}

    found = set().union(*await asyncio.gather(*(reached(zone) for zone in ZONES)))
    assert found == {flow for flow in ALLOWED if flow.protocol == "tcp"}


def test_the_dmz_holds_no_key_and_no_password_of_core(apart: Site) -> None:
    home = apart.dmz.home.path
    assert not (home / "pki" / "ca.key").exists()
    assert {p.name for p in home.iterdir()} <= {"dmz", "gateway", "log", "nats", "pki", "run", "settings.json"}
    core_words = json.loads((apart.core.home.path / "nats" / "users.json").read_text())
    mine = json.loads((home / "nats" / "users.json").read_text())
    assert not any(user.startswith("core") for user in mine)
    assert {user for user in mine if user in core_words} == {"headend_dmz", "command_dmz"}
    assert address("dmz") == apart.dmz.gateway_address
