"""The platform of one utility, zone by zone: each zone's real processes in that zone's namespace, under all rules.

Core, DMZ and field have a home each, made as people make them (`openami zones`). The field's meters are the
demonstration's, with their own collectors, and a listener for those of the carrier's network.
"""

from __future__ import annotations

import ipaddress
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.zones.matrix import GATEWAY_PORT, LISTENER_PORT, PORTAL_PORT, address
from tests.zones.namespaces import Net

from openami.app.process.listener import COLLECTOR_NUMBER
from openami.app.settings import Home, Settings
from openami.app.territory.territory_files import TerritoryFiles
from openami.app.zones import DmzPlace, core_settings, write_dmz_kit, write_field_kit

SPEED = 60.0
START_S = 180.0
STOP_S = 60.0


@dataclass(slots=True)
class Site:
    """A running installation.

    Args:
        net: the zones.
        core, dmz, meters: settings of the homes of core, the DMZ and the field.
        processes: what was started, by zone and name.
    """

    net: Net
    core: Settings
    dmz: Settings
    meters: Settings
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    @property
    def people(self) -> dict[str, dict[str, str]]:
        """Made-up people that can sign in."""
        found: dict[str, dict[str, str]] = json.loads((self.core.home.path / "people.json").read_text())
        return found

    def visit(self, tasks: dict[str, Any], *, key_log: Path | None = None) -> dict[str, Any]:
        """Visit the portal from the enterprise zone and return what was seen there (:mod:`tests.zones.visitor`)."""
        task = tasks | {
            "portal": f"https://{address('core')}:{PORTAL_PORT}",
            "certificate": self.core.web_certificate,
            "key_log": str(key_log) if key_log else None,
        }
        command = (sys.executable, "-m", "tests.zones.visitor")
        seen: dict[str, Any] = json.loads(self.net.run("enterprise", *command, text=json.dumps(task)))
        return seen

    def push_from_carrier(self, octets: bytes, *, protocol: str) -> None:
        """Send a push to the listener as a meter of the carrier's network does."""
        script = _DATAGRAM if protocol == "udp" else _CONNECTION
        self.net.run("carrier", sys.executable, "-S", "-c", script, address("field"), str(LISTENER_PORT), octets.hex())


class Watcher(Protocol):
    """Who is told how far an installation is."""

    def buses_up(self, running: Site) -> None:
        """Both buses run and nothing was said on them yet but by the processes of core and the DMZ."""
        ...

    def history_loaded(self, running: Site) -> None:
        """Core knows meters and customers; the field is silent."""
        ...


_DATAGRAM = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as meter:
    meter.sendto(bytes.fromhex(sys.argv[3]), (sys.argv[1], int(sys.argv[2])))
"""
_CONNECTION = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as meter:
    meter.sendall(bytes.fromhex(sys.argv[3]))
"""


@contextmanager
def site(
    net: Net, *, homes: int = 0, days: int = 2, watcher: Watcher | None = None, keys: Path | None = None
) -> Iterator[Site]:
    """Run an installation in the zones until the block ends.

    Args:
        net: the zones, with whatever rules are to be in force.
        homes: simulated homes in the field, with their collectors; none leaves the listener alone there.
        days: how long their history is.
        watcher: told how far it is, before the field begins to speak; None for nobody.
        keys: file that takes the TLS secrets of the links, for whoever opens a capture; None for none.
    """
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="oa-z-"))
        folder.chmod(0o755)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        core = _core(folder, homes, days)
        dmz = write_dmz_kit(core, folder / "dmz")
        core.save()
        running = Site(net, core, dmz, core)
        stack.callback(_stop, running)
        waiting = [
            _platform(stack, running, "dmz", dmz.home.path, keys),
            _platform(stack, running, "core", core.home.path, keys),
        ]
        for printed, process in waiting:
            _announced(printed, process)
        if watcher:
            watcher.buses_up(running)
        if homes:
            _history(running)
        if watcher:
            watcher.history_loaded(running)
        running.meters = _field(folder, core)
        if keys:
            _outdoors(stack, running, "listener", keys)
        else:
            _announced(*_platform(stack, running, "field", running.meters.home.path))
        if homes:
            _outdoors(stack, running, "territory", keys)
        yield running


def _core(folder: Path, homes: int, days: int) -> Settings:
    home = Home(folder / "core")
    home.path.mkdir(mode=0o755)
    certificate, key = _web_certificate(folder)
    now = datetime.now(UTC)
    whole = Settings(
        home, host=address("core"), speed=SPEED, real_origin=now, domain_origin=now,
        gateway_port=GATEWAY_PORT, web_port=PORTAL_PORT, web_certificate=str(certificate), web_key=str(key),
    )  # fmt: skip
    (home.path / "demo.json").write_text(json.dumps({"homes": homes, "days": days, "seed": 4}))
    return core_settings(whole, DmzPlace(address("dmz"), address("dmz"), 8422))


def _web_certificate(folder: Path) -> tuple[Path, Path]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "portal")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address("core")))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "portal.pem", folder / "portal.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, secret


def _field(folder: Path, core: Settings) -> Settings:
    """Write the field's home, and bring the meters there: their keys are theirs."""
    files = TerritoryFiles(core.home.path / "territory")
    cells = files.plan().territory().feeder.cell_count if files.has_plan else 0
    made = write_field_kit(
        core, folder / "field", collectors=[*range(1, cells + 1), COLLECTOR_NUMBER],
        listener_host=address("field"), listener_port=LISTENER_PORT,
    )  # fmt: skip
    if cells:
        shutil.copytree(files.folder, made.home.path / "territory")
    return made


def _platform(
    stack: ExitStack, running: Site, zone: str, home: Path, keys: Path | None = None
) -> tuple[Path, subprocess.Popen[str]]:
    printed = home.parent / f"{zone}.out"
    out, log = (stack.enter_context(p.open("w")) for p in (printed, home.parent / f"{zone}.log"))
    command = [sys.executable, "-m", "openami", "up", "--home", str(home), "--json"]
    # The library's own switch: it works for contexts that it makes itself, as those of the bus's clients are.
    environment = {"SSLKEYLOGFILE": str(keys)} if keys else {}
    process = running.net.popen(zone, command, environment=environment, stdout=out, stderr=log)
    running.processes[zone] = process
    return printed, process


def _announced(printed: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while not printed.read_text().endswith("\n"):
        log = printed.with_suffix(".log").read_text()[-3000:]
        assert process.poll() is None, f"{printed.stem} ended:\n{log}"
        assert time.monotonic() < deadline, f"{printed.stem} is not ready:\n{log}"
        time.sleep(0.05)


def _history(running: Site) -> None:
    command = [sys.executable, "-m", "openami.app.process", "history", "--home", str(running.core.home.path)]
    process = running.net.popen("core", command, stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=START_S)
    assert process.returncode == 0, said[-3000:]


def _outdoors(stack: ExitStack, running: Site, name: str, keys: Path | None) -> None:
    """Start a process of the field by itself."""
    home = running.meters.home.path
    ready = home / f"{name}.ready"
    program = "openami.app.process" if keys is None else "tests.zones.with_key_log"
    environment = {"OPENAMI_READY_FILE": str(ready)} | ({"KEY_LOG": str(keys)} if keys else {})
    log = stack.enter_context((home.parent / f"{name}.log").open("w"))
    command = [sys.executable, "-m", program, name, "--home", str(home)]
    process = running.net.popen("field", command, environment=environment, stderr=log)
    running.processes[name] = process
    deadline = time.monotonic() + START_S
    while not ready.exists():
        assert process.poll() is None, (home.parent / f"{name}.log").read_text()[-3000:]
        assert time.monotonic() < deadline, f"{name} is not ready"
        time.sleep(0.05)


def _stop(running: Site) -> None:
    """Ask all at once to drain, and wait for them."""
    alive = [process for process in running.processes.values() if process.poll() is None]
    for process in alive:
        process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + STOP_S
    for process in alive:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
