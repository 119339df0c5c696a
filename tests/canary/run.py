"""Run an installation with canaries in its customer store, capture everything, and look for them.

Where a canary may be: in core's customer store, and inside the TLS between the portal and the person whom it concerns.
The latter is what shows that capture, opening and search work: there the names must be found.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from secrets import token_bytes
from typing import Any

import psycopg
from tests.canary import packets, tap, tls13
from tests.canary.needles import Finder
from tests.canary.openings import KeyRing, key_ring
from tests.canary.ordered import carried_out
from tests.canary.packets import Conversations, Way
from tests.canary.seeded import Canary, canary, seed
from tests.zones.matrix import FIREWALL, ZONES, zone_of
from tests.zones.namespaces import Net, namespaces
from tests.zones.probing import load
from tests.zones.site import Site, site

from openami.app.devices.shipment import take_shipment
from openami.app.engines.address import nats_url, postgres_engine
from openami.app.engines.postgres import DATABASE, SUPERUSER
from openami.app.territory.territory_files import TerritoryFiles
from openami.contracts.stream import DMZ_COMMAND_SUBJECT, SEALING_SUBJECT
from openami.protocol import apdu
from openami.protocol.envelope import wrap
from openami.security.suites.gcm import seal

READS = ("registers", "voltage", "events")
ROUNDS_S = 45.0
"""At sixty times the speed of the clock, three quarter-hours: every meter pushes three times."""
CUSTOMER_PAGES = ["home", "radio", "who-looked", "bills"]
STAFF_PAGES = [f"/staff/{page}" for page in (
    "now", "dead-letters", "unassigned", "collectors", "service-levels", "orders", "alerts", "keys"
)]  # fmt: skip
LOOPBACKS = ("field", "dmz", "core")
ROOMS = ("headend", "security", "mdm", "billing", "network", "grid", "field")
"""Schemas of rooms that are to know no customer."""
PORTAL = "enterprise - core"


@dataclass(slots=True)
class Line:
    """What was found in one place.

    Args:
        place: where it was taken.
        form: as it was carried, or how it was opened.
        octets: how many were searched.
        items: conversations, messages, APDUs or files.
        found: which canaries.
        is_theirs: whether canaries belong there.
    """

    place: str
    form: str
    octets: int = 0
    items: int = 0
    found: set[str] = field(default_factory=set)
    is_theirs: bool = False

    def search(self, finder: Finder, octets: bytes) -> None:
        """Look through some octets."""
        self.octets += len(octets)
        self.items += 1
        self.found |= finder.names_in(octets)


@dataclass(slots=True)
class Report:
    """All that was searched.

    Args:
        canaries: how many customers there were.
        words: how many words were looked for.
        secrets: how many keys were looked for beside them.
        lines: by place.
        dropped: packets that the kernel had no room for in the captures.
        missing: octets of TCP streams that are in no capture.
        apdus: sealed APDUs that opened, and that did not.
        reads: how the reads by hand ended.
        orders: how new keys, disconnections and reconnections ended.
        refused: pages that did not answer as they should, with their status.
        planted: where a word was found that a meter of the test sent sealed: the search must be able to find it.
    """

    canaries: int
    words: int
    secrets: int = 0
    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    dropped: int = 0
    missing: int = 0
    apdus: tuple[int, int] = (0, 0)
    reads: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    refused: dict[str, int] = field(default_factory=dict)
    planted: set[str] = field(default_factory=set)

    def line(self, place: str, form: str) -> Line:
        """Return the line of a place, made at first use."""
        return self.lines.setdefault((place, form), Line(place, form))

    @property
    def leaks(self) -> list[Line]:
        """Places where canaries were found that do not belong there."""
        return [line for line in self.lines.values() if line.found and not line.is_theirs]

    @property
    def octets(self) -> int:
        """How much was searched."""
        return sum(line.octets for line in self.lines.values())


@dataclass(slots=True)
class Watch:
    """Captures and taps of one run.

    Args:
        net: the zones.
        folder: where they write.
        count: canaries to make.
    """

    net: Net
    folder: Path
    count: int
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    finder: Finder = field(default_factory=lambda: Finder({}))
    canaries: list[Canary] = field(default_factory=list)

    def capture(self) -> None:
        """Begin to write down packets."""
        for zone in (FIREWALL, *LOOPBACKS):
            interfaces = [] if zone == FIREWALL else ["lo"]
            command = [sys.executable, "-S", "-m", "tests.canary.capture", str(self.folder / f"{zone}.pcap")]
            self._start(zone, zone, [*command, *interfaces], as_ourselves=False)

    def buses_up(self, running: Site) -> None:
        """Begin to hear both buses."""
        for zone, settings, user in (("dmz", running.dmz, "dmz_admin"), ("core", running.core, "core_admin")):
            command = [sys.executable, "-m", "tests.canary.tap", str(self.folder / f"{zone}.tap")]
            self._start(f"bus of {zone}", zone, command, said=nats_url(settings, user))

    def history_loaded(self, running: Site) -> None:
        """Put the canaries into the customer store."""
        self.finder, self.canaries = asyncio.run(seed(running.core, self.count))

    def end(self) -> dict[str, dict[str, int]]:
        """End all and return what each counted."""
        counts = {}
        for name, process in self.running.items():
            process.send_signal(signal.SIGTERM)
            told, _ = process.communicate(timeout=60)
            counts[name] = json.loads(told.splitlines()[-1])
        self.running.clear()
        return counts

    def _start(self, name: str, zone: str, command: list[str], *, said: str = "", as_ourselves: bool = True) -> None:
        pipe = subprocess.PIPE
        process = self.net.popen(zone, command, stdin=pipe, stdout=pipe, as_ourselves=as_ourselves)
        assert process.stdin is not None
        assert process.stdout is not None
        if said:
            process.stdin.write(said + "\n")
            process.stdin.flush()
        assert process.stdout.readline() == "ready\n", f"{name} did not begin"
        self.running[name] = process


@contextmanager
def _watching(net: Net, folder: Path, count: int) -> Iterator[Watch]:
    watch = Watch(net, folder, count)
    try:
        watch.capture()
        yield watch
    finally:
        for process in watch.running.values():
            process.kill()
            process.communicate(timeout=10)


def measure(*, homes: int = 10, customers: int = 500, rounds_s: float = ROUNDS_S) -> Report:
    """Run, capture, open and search.

    Args:
        homes: simulated homes in the field.
        customers: canaries, those who live in the homes included.
        rounds_s: how long the field speaks, real time.

    Raises:
        NoNamespacesError: this machine lets us make no namespaces.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oa-c-")))
        folder.chmod(0o777)
        net = stack.enter_context(namespaces())
        load(net, senders=True, firewall=True, targets=True)
        watch = stack.enter_context(_watching(net, folder, customers))
        keys = folder / "keys"
        running = stack.enter_context(site(net, homes=homes, watcher=watch, keys=keys))
        report = Report(customers, 0)
        planted = canary()
        _live(running, report, planted, keys, rounds_s)
        counts = watch.end()
        report.dropped = sum(found.get("dropped", 0) for found in counts.values())
        ring = asyncio.run(key_ring(running.core))
        watch.finder = Finder(watch.finder.words, {**watch.finder.numbers, **_secrets(running, ring)})
        report.words = len(watch.finder.words)
        report.secrets = len(_secrets(running, ring))
        also = Finder({"planted": planted.first.encode()})
        _search_links(report, watch, tls13.secrets_of(keys), ring)
        _search_buses(report, watch, ring, also)
        _search_tables(report, watch.finder, running)
        _search_homes(report, watch.finder, running)
        report.apdus = (ring.opened, ring.shut)
        return report


def _secrets(running: Site, ring: KeyRing) -> dict[str, bytes]:
    """Return what may cross no link and no bus either: keys of meters, and core's own."""
    found = {f"key {n}": key for n, key in enumerate(key for pairs in ring.pairs.values() for p in pairs for key in p)}
    core = running.core.home.path
    return found | {
        f"key of {place}": (core / place).read_bytes() for place in ("keys/root.key", "command/signing_key")
    }


def _live(running: Site, report: Report, planted: Canary, keys: Path, rounds_s: float) -> None:
    """Let meters push, read some by hand, and let people look at their pages."""
    ends = time.monotonic() + rounds_s
    book = [str(m.meter_id) for m in TerritoryFiles(running.meters.home.path / "territory").book()]
    staff, customer = running.people["staff"], running.people["customer"]
    heard = running.visit({"person": staff, "wait_for": book}, key_log=keys)["heard"]
    asked = [[meter, kind] for meter in heard[:3] for kind in READS]
    for found in running.visit({"person": staff, "reads": asked}, key_log=keys)["reads"]:
        report.reads[found["state"]] += 1
    book_of = {str(m.meter_id): m.identity.title for m in TerritoryFiles(running.meters.home.path / "territory").book()}
    report.orders = asyncio.run(carried_out(running, [book_of[meter] for meter in heard[:3]]))
    seen = running.visit({"person": customer, "pages": ["/session", "/me/service-points"]}, key_log=keys)["pages"]
    place = json.loads(seen["/me/service-points"][1])["service_points"][0]["service_point_id"]
    theirs = [f"/service-points/{place}/{page}" for page in CUSTOMER_PAGES]
    for person, pages in ((customer, theirs), (staff, STAFF_PAGES)):
        seen |= running.visit({"person": person, "pages": pages}, key_log=keys)["pages"]
    report.refused = {page: status for page, (status, _) in seen.items() if status != HTTPStatus.OK}
    octets = asyncio.run(_planted_push(running, planted))
    for protocol in ("udp", "tcp"):
        running.push_from_carrier(octets, protocol=protocol)
    time.sleep(max(3.0, ends - time.monotonic()))


async def _planted_push(running: Site, planted: Canary) -> bytes:
    """Return a push of a meter of the test's own with a word in it: sealed, so that only who opens it can find it."""
    title, key, auth_key = b"OAM" + token_bytes(5), token_bytes(16), token_bytes(16)
    document = {
        "shipment_id": "canary", "made_at": "2022-01-01T00:00:00Z", "maker": "OAM", "profile": "oam-1",
        "meters": [{
            "system_title": title.hex(), "serial": "canary", "encryption_key": key.hex(),
            "authentication_key": auth_key.hex(),
        }],
    }  # fmt: skip
    place = running.core.home.folder("shipments") / "canary.json"
    place.touch(mode=0o600)
    place.write_text(json.dumps(document))
    await take_shipment(running.core, place, plain=True)
    word = planted.first.encode()
    plain = b"\x0f\0\0\0\1\0\x09" + bytes([len(word)]) + word
    return wrap(1, 103, apdu.general_glo(title, seal(title, 1, plain, key=key, auth_key=auth_key)))


def _search_links(report: Report, watch: Watch, secrets: tls13.Secrets, ring: KeyRing) -> None:
    for zone in (FIREWALL, *LOOPBACKS):
        caught = packets.read(watch.folder / f"{zone}.pcap")
        # The whole file too: headers, and what is neither TCP nor UDP.
        report.line("all packets" if zone == FIREWALL else f"inside {zone}", "as captured").search(
            watch.finder, (watch.folder / f"{zone}.pcap").read_bytes()
        )
        _search_conversations(report, watch.finder, caught, secrets, ring, place=None if zone == FIREWALL else zone)


def _search_conversations(
    report: Report, finder: Finder, caught: Conversations, secrets: tls13.Secrets, ring: KeyRing, *, place: str | None
) -> None:
    joined = {key: stream.joined() for key, stream in caught.streams.items()}
    for (way, turn), (octets, missing) in joined.items():
        link = _link(way) if place is None else f"inside {place}"
        report.missing += missing
        report.line(link, "in the clear").search(finder, octets)
        _search_apdus(report, finder, link, ring.anywhere(octets))
        if tls13.is_tls(octets):
            back = joined.get((way.back, turn), (b"", 0))[0]
            opened = tls13.open_connection(octets, back, secrets)
            line = report.line(link, "TLS opened" if opened else "TLS not opened")
            line.is_theirs = link == PORTAL and opened is not None
            for side in (opened.client, opened.server) if opened else ():
                line.search(finder, side)
                _search_apdus(report, finder, link, ring.anywhere(side))
            line.items += opened is None
    for way, datagrams in caught.datagrams.items():
        link = (_link(way) if place is None else f"inside {place}") if way.source else "ethernet"
        for datagram in datagrams:
            report.line(link, "in the clear").search(finder, datagram)
            _search_apdus(report, finder, link, ring.anywhere(datagram))


def _search_apdus(report: Report, finder: Finder, place: str, plain: Iterable[bytes]) -> None:
    for octets in plain:
        report.line(place, "APDU opened").search(finder, octets)


def _link(way: Way) -> str:
    ends = {zone_of(way.source), zone_of(way.target)}
    return " - ".join(sorted(ends, key=lambda zone: (zone == "core", ZONES.index(zone))))


def _search_buses(report: Report, watch: Watch, ring: KeyRing, also: Finder) -> None:
    for zone in ("dmz", "core"):
        place = f"bus of {zone}"
        for subject, headers, data in tap.read(watch.folder / f"{zone}.tap"):
            whole = subject.encode() + b"\n" + headers + b"\n" + data
            report.line(place, "every message").search(watch.finder, whole)
            if also.names_in(whole):
                report.planted.add(f"{place}, {subject.split('.')[1]}")
            for plain in _plain(subject, data, ring):
                report.line(place, "APDU opened").search(watch.finder, plain)
                if also.names_in(plain):
                    report.planted.add(f"{place}, opened")


def _plain(subject: str, data: bytes, ring: KeyRing) -> Iterator[bytes]:
    if subject.startswith("dmz.frame.v1."):
        yield from ring.frames(data)
    elif subject == DMZ_COMMAND_SUBJECT:
        yield from ring.command(data)
    elif not subject.startswith(SEALING_SUBJECT):
        # Requests to seal are plain as they are; anything else may carry a sealed APDU somewhere.
        yield from ring.anywhere(data)


def _search_tables(report: Report, finder: Finder, running: Site) -> None:
    engine = postgres_engine(running.core)
    with psycopg.connect(f"host={engine.sockets} user={SUPERUSER} dbname={DATABASE}") as connection:
        tables = connection.execute(
            "select quote_ident(schemaname) || '.' || quote_ident(tablename), schemaname from pg_tables "
            "where schemaname = any(%s)", (list(ROOMS),)
        ).fetchall()  # fmt: skip
        for table, schema in tables:
            rows: list[Any] = connection.execute(f"select t::text from {table} t").fetchall()  # noqa: S608 - names from the catalog
            report.line(f"tables of {schema}", "rows").search(finder, "\n".join(row for (row,) in rows).encode())


def _search_homes(report: Report, finder: Finder, running: Site) -> None:
    # The simulated meters live on the field's disk, and a meter has its own keys.
    words_alone = Finder(finder.words, {name: n for name, n in finder.numbers.items() if not name.startswith("key")})
    for zone, settings, sought in (("dmz", running.dmz, finder), ("field", running.meters, words_alone)):
        for file in settings.home.path.rglob("*"):
            if file.is_file():
                report.line(f"disk of {zone}", "files").search(sought, str(file).encode() + b"\n" + file.read_bytes())
    for file in (running.core.home.path / "log").glob("*"):
        report.line("logs of core", "files").search(finder, file.read_bytes())
