"""Measure which flows pass: a packet to every port from every zone to every other, counted where it arrives.

What arrives is written down by the kernel of the receiving zone, in sets of a table of the test's own: once before
that host's rules (``arrived``: so the sender's rules and the firewall let it pass) and once behind them (``taken``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.zones.matrix import FIREWALL, ZONES, Flow, address, zone_of
from tests.zones.namespaces import RULES, Net
from tests.zones.sweep import HOPS, MARK

ALL_PORTS = range(1, 65_536)
PROTOCOLS = tuple(p for p in range(1, 256) if p not in {6, 17})
FIREWALL_RULES = RULES / "firewall.nft"
_WITNESS = f"""
table inet witness
delete table inet witness
table inet witness {{
  set arrived {{ type ipv4_addr . inet_proto . inet_service; size 262144; flags dynamic; }}
  set taken {{ type ipv4_addr . inet_proto . inet_service; size 262144; flags dynamic; }}
  set arrived_other {{ type ipv4_addr . inet_proto; size 65536; flags dynamic; }}
  set taken_other {{ type ipv4_addr . inet_proto; size 65536; flags dynamic; }}
  counter six {{ }}
  # The hops that are left tell a packet of the sweep from the answer to one.
  chain before {{ type filter hook prerouting priority -350;
    iifname "up0" ip ttl {HOPS - 1} meta l4proto {{ tcp, udp }} add @arrived {{ ip saddr . ip protocol . th dport }}
    iifname "up0" ip ttl {HOPS - 1} meta l4proto != {{ tcp, udp }} add @arrived_other {{ ip saddr . ip protocol }}
    iifname "up0" meta nfproto ipv6 ip6 saddr fd80::/16 meta l4proto != icmpv6 counter name six
  }}
  chain behind {{ type filter hook input priority 350;
    iifname "up0" ip ttl {HOPS - 1} meta l4proto {{ tcp, udp }} add @taken {{ ip saddr . ip protocol . th dport }}
    iifname "up0" ip ttl {HOPS - 1} meta l4proto != {{ tcp, udp }} add @taken_other {{ ip saddr . ip protocol }}
  }}
}}
"""
_UNTRACKED = f"""
table inet untracked {{
  chain out {{ type filter hook output priority raw; meta mark {MARK} notrack
  }}
}}
"""


@dataclass
class Passed:
    """What a sweep found. Look while the zones stand, and before the next sweep.

    Args:
        net: the zones.
        targets: those that were sent to.
        sent: how many packets went out.
    """

    net: Net
    targets: tuple[str, ...]
    sent: int = 0

    @cached_property
    def arrived(self) -> set[Flow]:
        """Flows that reached the target's host."""
        return {flow for target in self.targets for flow in _seen(self.net, target, "arrived")}

    @cached_property
    def taken(self) -> set[Flow]:
        """Flows that the rules of the target's own host let in."""
        return {flow for target in self.targets for flow in _seen(self.net, target, "taken")}


def load(net: Net, *, senders: bool = False, firewall: bool = False, targets: bool = False) -> None:
    """Load the rule sets of some layers into new namespaces and none of the others.

    Args:
        net: namespaces without rules: what an earlier load let pass would be known as an open connection.
        senders: what the hosts of a zone let out.
        firewall: what passes between the zones.
        targets: what the hosts of a zone let in.
    """
    if firewall:
        net.rules(FIREWALL, FIREWALL_RULES)
    for zone in ZONES:
        file = RULES / f"{zone}.nft"
        if (senders or targets) and file.exists():
            net.rules(zone, file)
            chains = [("input", targets), ("output", senders)]
            for chain in (name for name, kept in chains if not kept):
                net.rules(zone, f"delete chain inet openami_host {chain}")
        net.rules(zone, _WITNESS)
        if not senders:
            # Else the sender's own host would take what comes back from a sweep for answers to it.
            net.rules(zone, _UNTRACKED)


def sweep(
    net: Net, ports: Sequence[int], *, protocols: Sequence[int] = (1,), pairs: Iterable[tuple[str, str]] | None = None,
    **wishes: Any,
) -> Passed:  # fmt: skip
    """Send to these ports over TCP and UDP, and over other protocols, and tell what passed.

    Args:
        net: the zones.
        ports: 1 to 65535.
        protocols: numbers of other protocols of IP.
        pairs: zones that send and are sent to; all of them by default.
        wishes: ``source`` address, ``source_port`` and TCP ``flags`` instead of an honest sender's.
    """
    chosen = list(pairs or [(a, b) for a in ZONES for b in ZONES if a != b])
    found = Passed(net, tuple(sorted({b for _, b in chosen})))
    for source in sorted({a for a, _ in chosen}):
        tasks = []
        for target in (b for a, b in chosen if a == source):
            base = {"source": address(source), "target": address(target), **wishes}
            tasks.append(base | {"protocol": "tcp", "ports": list(ports)})
            tasks.append(base | {"protocol": "udp", "ports": list(ports)})
            tasks.append(base | {"protocol": "other", "ports": list(protocols)})
        net.run(source, sys.executable, "-S", "-m", "tests.zones.sweep", text=json.dumps(tasks))
        found.sent += sum(len(task["ports"]) for task in tasks)
    return found


def forget(net: Net) -> None:
    """Empty what the receiving zones have written down."""
    for zone in ZONES:
        net.rules(zone, _WITNESS)


def sixes(net: Net, zone: str) -> int:
    """Return how many packets of IP version 6 arrived in a zone."""
    (row,) = (r["counter"] for r in net.table(zone, "counter", "inet", "witness", "six") if "counter" in r)
    return int(row["packets"])


def _seen(net: Net, zone: str, name: str) -> set[Flow]:
    flows: set[Flow] = set()
    for kind in (name, f"{name}_other"):
        for row in net.table(zone, "set", "inet", "witness", kind):
            for element in row.get("set", {}).get("elem", []):
                saddr, protocol, *port = element["concat"]
                flows.add(Flow(zone_of(saddr), zone, str(protocol), int(port[0]) if port else 0))
    return flows
