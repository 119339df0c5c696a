"""Network namespaces, one for each zone and one for the firewall between them, all gone when the block ends.

As root they are made directly; as another user inside a user namespace of one's own. Nothing outside them is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.zones.matrix import FIREWALL, ZONES, address, router

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "nftables"
TOOLS = ("ip", "nft", "unshare", "nsenter")
START_S = 10.0


class NoNamespacesError(Exception):
    """This machine lets us make no network namespaces; the text says why."""


class ZoneCommandError(Exception):
    """A command in a zone that stands failed: a fault of ours, not of the machine."""


def tool(name: str) -> str:
    """Return where a program is: ordinary users lack /usr/sbin in their path.

    Raises:
        NoNamespacesError: it is not installed.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise NoNamespacesError(f"{name} is not installed: run scripts/system-packages as root")
    return found


@dataclass(slots=True)
class Net:
    """The namespaces.

    Args:
        holders: process that keeps each of them, by zone and ``firewall``.
        within: how to enter the user namespace first; empty as root.
    """

    holders: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    within: list[str] = field(default_factory=list)

    def entering(self, zone: str, *, as_ourselves: bool = False) -> list[str]:
        """Return the words before a command that run it in a zone.

        Args:
            zone: where.
            as_ourselves: with our own user id and no right over the network, as our processes run.
        """
        words = [tool("nsenter"), "-t", str(self.holders[zone].pid), "-n"]
        if self.within:
            words += ["-U", "--preserve-credentials"]
            if as_ourselves:
                words += [tool("unshare"), "-U", f"--map-user={os.getuid()}", f"--map-group={os.getgid()}"]
        return words

    def run(self, zone: str, *command: str, text: str | None = None) -> str:
        """Run a command in a zone and return what it prints.

        Raises:
            ZoneCommandError: it failed; the text holds the end of what it said.
        """
        done = subprocess.run(
            [*self.entering(zone), *command], input=text, capture_output=True, text=True, check=False, timeout=120,
            cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
        )  # fmt: skip
        if done.returncode != 0:
            raise ZoneCommandError(f"{' '.join(command[:3])} in {zone}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def rules(self, zone: str, file: Path | str) -> None:
        """Load rules into a zone: a file of ``deploy/nftables`` as it lies there, or their text."""
        if isinstance(file, Path):
            self.run(zone, tool("nft"), "-I", str(file.parent), "-f", str(file))
        else:
            self.run(zone, tool("nft"), "-f", "-", text=file)

    def table(self, zone: str, *words: str) -> list[dict[str, Any]]:
        """Return what nftables lists, as its JSON rows."""
        rows: list[dict[str, Any]] = json.loads(self.run(zone, tool("nft"), "-j", "list", *words))["nftables"]
        return rows

    def popen(
        self,
        zone: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        as_ourselves: bool = True,
        **options: Any,
    ) -> subprocess.Popen[str]:
        """Start a command in a zone as ourselves, or with every right over that zone's network."""
        words = [*self.entering(zone, as_ourselves=as_ourselves), *command]
        paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
        return subprocess.Popen(
            words, text=True, cwd=ROOT, env={**os.environ, **paths, **(environment or {})}, **options
        )


@contextmanager
def namespaces() -> Iterator[Net]:
    """Hold the zones, joined by the firewall's host, without any rules yet.

    Raises:
        NoNamespacesError: the machine refuses.
    """
    for name in TOOLS:
        tool(name)
    with ExitStack() as stack:
        net = Net()
        if os.geteuid() == 0:
            net.holders[FIREWALL] = _held(stack, [])
        else:
            net.holders[FIREWALL] = _held(stack, ["--user", "--map-root-user"])
            net.within = ["user"]
        for zone in ZONES:
            before = [] if not net.within else [*_user_of(net), "--preserve-credentials"]
            net.holders[zone] = _held(stack, [], before)
        try:
            for zone in ZONES:
                _join(net, zone)
            net.run(FIREWALL, tool("ip"), "link", "set", "dev", "lo", "up")
            net.run(FIREWALL, "sh", "-c", _FORWARDING)
            net.rules(FIREWALL, _WHAT_IT_TAKES)
            net.rules(FIREWALL, "flush ruleset")
        except ZoneCommandError as error:
            raise NoNamespacesError(f"network namespaces cannot be joined and guarded here: {error}") from error
        yield net


# What the rule sets and the test ask of the kernel: if it has these, whatever fails afterwards is a fault of ours.
_WHAT_IT_TAKES = """
table inet probe {
  set seen { type ipv4_addr . inet_proto . inet_service; size 1024; flags dynamic; }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    tcp flags & (fin | syn | rst | ack) != syn counter drop
    ip ttl 1 add @seen { ip saddr . ip protocol . th dport }
    limit rate 10/second log prefix "probe: "
    reject with icmpx admin-prohibited
  }
}
"""


# The kernel's own check of source addresses is off, so that the rules must do it.
_FORWARDING = """
echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done
"""


def _user_of(net: Net) -> list[str]:
    return [tool("nsenter"), "-t", str(net.holders[FIREWALL].pid), "-U"]


def _held(stack: ExitStack, options: list[str], before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    # Without the pipe's other end `cat` ends: the namespace dies with us, however we end.
    command = [*before, tool("unshare"), *options, "--net", "cat"]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    stack.callback(_let_go, holder)
    deadline = time.monotonic() + START_S
    # It is `cat` once its namespaces are made and our user id is mapped into them.
    while True:
        try:
            if Path(f"/proc/{holder.pid}/comm").read_text() == "cat\n":
                break
        except OSError:
            pass
        if holder.poll() is not None or time.monotonic() > deadline:
            assert holder.stderr is not None
            said = holder.stderr.read().decode().strip() if holder.poll() is not None else "no answer"
            raise NoNamespacesError(f"network namespaces cannot be made here: {said}")
        time.sleep(0.01)
    return holder


def _let_go(holder: subprocess.Popen[bytes]) -> None:
    assert holder.stdin is not None
    holder.stdin.close()
    try:
        holder.wait(5)
    except subprocess.TimeoutExpired:
        holder.kill()
        holder.wait(5)
    if holder.stderr is not None:
        holder.stderr.close()


def _join(net: Net, zone: str) -> None:
    """Lay a cable from a zone to the firewall."""
    ip, number = tool("ip"), ZONES.index(zone)
    there = str(net.holders[zone].pid)
    net.run(FIREWALL, ip, "link", "add", "name", zone, "type", "veth", "peer", "name", "up0", "netns", there)
    for where, device, v4, v6 in ((FIREWALL, zone, router(zone), 1), (zone, "up0", address(zone), 10)):
        net.run(where, ip, "addr", "add", f"{v4}/24", "dev", device)
        net.run(where, ip, "addr", "add", f"fd80::{number}:{v6}/112", "dev", device, "nodad")
        net.run(where, ip, "link", "set", "dev", device, "up")
    net.run(zone, ip, "link", "set", "dev", "lo", "up")
    net.run(zone, ip, "route", "add", "default", "via", router(zone))
    net.run(zone, ip, "-6", "route", "add", "default", "via", f"fd80::{number}:1")
