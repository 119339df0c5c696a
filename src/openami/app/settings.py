"""Settings of one installation: what is where, on which port, and how fast domain time runs.

All state lives in one folder, the *home* (``--home``, default ``.openami``). ``settings.json`` in it is written once,
when the home is made, and read by every process. Environment variables ``OPENAMI_POSTGRES_URL``,
``OPENAMI_NATS_DMZ_URL``, ``OPENAMI_NATS_CORE_URL`` and ``OPENAMI_CLICKHOUSE_URL`` point at engines of your own.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from openami.kernel.clock import ScaledClock
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import NaiveInstantError, UnknownZoneError, require_utc, zone_named

MAX_PARTITION_GROUPS = 64
MAX_SPEED = 1_000_000
WHOLE, DMZ, CORE, FIELD = "whole", "dmz", "core", "field"
"""Which zone's processes a home runs: all of them, or those of one zone (:mod:`openami.app.zones`)."""
MAX_SOCKET_PATH = 100
"""Linux allows 107 octets for a Unix socket's path; the rest is room for the socket's own name."""


class SettingsError(OpenAmiError):
    """The home's settings are missing or cannot be read."""


def real_now() -> datetime:
    """Return the host's clock. Only the wiring calls this."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds everything an installation knows."""

    path: Path

    def __post_init__(self) -> None:
        # Children run elsewhere, so a path that is relative to our folder would lead them astray.
        object.__setattr__(self, "path", self.path.expanduser().resolve())

    def folder(self, name: str) -> Path:
        """Return a sub-folder, made on first use, closed to other users."""
        folder = self.path / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @property
    def settings_file(self) -> Path:
        """Where :class:`Settings` are kept."""
        return self.path / "settings.json"

    def socket(self, name: str) -> Path:
        """Return the path of a Unix socket, in the home where the path is short enough.

        Raises:
            SettingsError: the folder for it outside the home is not ours alone: whoever owns it would answer for us.
        """
        here = self.path / "run" / name
        if len(str(here)) <= MAX_SOCKET_PATH:
            self.folder("run")
            return here
        digest = sha256(str(self.path).encode()).hexdigest()[:16]
        elsewhere = Path(tempfile.gettempdir()) / f"openami-{os.getuid()}-{digest}"
        elsewhere.mkdir(mode=0o700, exist_ok=True)
        found = elsewhere.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise SettingsError(f"{elsewhere} is not a folder of ours alone: remove it, or choose a shorter --home")
        return elsewhere / name

    @property
    def store_socket(self) -> Path:
        """Where the store process answers named queries."""
        return self.socket("store.sock")


@dataclass(frozen=True, slots=True)
class Settings:
    """One installation's settings, shared by all its processes.

    Args:
        home: the state folder.
        zone: IANA zone of the utility; a service point may have its own.
        web_port, gateway_port, nats_port: TCP ports, all on ``host``.
        host: address that the portal and the gateway listen on.
        gateway_host: address of the gateway where it is another: it listens there and collectors dial it.
        security_zone: ``whole``, or the zone whose processes this home runs.
        dmz_bus_host, dmz_bus_port: address of the DMZ's own bus, over TLS, where the zones are apart; None for one bus.
        web_certificate, web_key: files in PEM with which the portal speaks TLS; None where a proxy before it does.
        speed: domain seconds per real second.
        real_origin, domain_origin: the pair of instants that fixes domain time.
        listener_port: TCP and UDP port for meters that push by themselves; None, the default, for no listener.
        listener_host: address that the listener listens on: that of the carrier's private network.
        gateway_id: number of this gateway.
        partition_groups: how many groups the 64 partitions are leased in.
        postgres_url, nats_dmz_url, nats_core_url, clickhouse_url: engines of your own, or None for the built-in ones.
    """

    home: Home
    zone: str = "America/Chicago"
    host: str = "127.0.0.1"
    gateway_host: str | None = None
    security_zone: str = WHOLE
    dmz_bus_host: str | None = None
    dmz_bus_port: int = 8422
    web_certificate: str | None = None
    web_key: str | None = None
    web_port: int = 8420
    gateway_port: int = 8443
    nats_port: int = 8422
    listener_port: int | None = None
    listener_host: str = "127.0.0.1"
    speed: float = 1.0
    real_origin: datetime = field(default_factory=real_now)
    domain_origin: datetime | None = None
    gateway_id: int = 1
    partition_groups: int = 8
    postgres_url: str | None = None
    nats_dmz_url: str | None = None
    nats_core_url: str | None = None
    clickhouse_url: str | None = None

    @property
    def gateway_address(self) -> str:
        """Where the gateway listens and collectors dial it."""
        return self.gateway_host or self.host

    def clock(self) -> ScaledClock:
        """Return the domain clock of this installation."""
        return ScaledClock(real_now, self.real_origin, self.domain_origin or self.real_origin, self.speed)

    def save(self) -> None:
        """Write the settings to the home, whole or not at all.

        Engine addresses that come from the environment stay there: they hold passwords.
        """
        given = {os.environ.get(f"OPENAMI_{name.upper()}") for name in asdict(self) if name.endswith("_url")}
        row = {name: value for name, value in asdict(self).items() if not (name.endswith("_url") and value in given)}
        row["home"] = None
        row["real_origin"] = self.real_origin.isoformat()
        row["domain_origin"] = (self.domain_origin or self.real_origin).isoformat()
        self.home.path.mkdir(mode=0o755, parents=True, exist_ok=True)
        temporary = self.home.settings_file.with_suffix(".new")
        temporary.write_text(json.dumps(row, indent=2) + "\n")
        temporary.replace(self.home.settings_file)

    @classmethod
    def load(cls, home: Path) -> Settings:
        """Read the settings of a home, with the environment's engine addresses laid over them.

        Raises:
            SettingsError: no such home, or its file cannot be read.
        """
        place = Home(home)
        try:
            row = json.loads(place.settings_file.read_text())
            row["home"] = place
            row["real_origin"] = require_utc(datetime.fromisoformat(row["real_origin"]))
            row["domain_origin"] = require_utc(datetime.fromisoformat(row["domain_origin"]))
            settings = cls(**row)
            _require_sound(settings)
        except FileNotFoundError as error:
            raise SettingsError(f"{home} is not an OpenAMI home: run `openami up` or `openami demo` first") from error
        except (ValueError, TypeError, KeyError, OSError, NaiveInstantError, UnknownZoneError) as error:
            raise SettingsError(f"{place.settings_file} cannot be read: {error}") from error
        return settings.with_environment(dict(os.environ))

    def with_environment(self, environment: dict[str, str]) -> Settings:
        """Return settings whose engine addresses come from the environment where it names them."""
        return replace(
            self,
            postgres_url=environment.get("OPENAMI_POSTGRES_URL", self.postgres_url),
            nats_dmz_url=environment.get("OPENAMI_NATS_DMZ_URL", self.nats_dmz_url),
            nats_core_url=environment.get("OPENAMI_NATS_CORE_URL", self.nats_core_url),
            clickhouse_url=environment.get("OPENAMI_CLICKHOUSE_URL", self.clickhouse_url),
        )


def _require_sound(settings: Settings) -> None:
    """Pass if the values of a file that a person may have edited are such as the processes can use.

    Raises:
        ValueError, UnknownZoneError: one is not; the text names it.
    """
    for name in ("web_port", "gateway_port", "nats_port", "dmz_bus_port", "gateway_id", "partition_groups"):
        value, most = getattr(settings, name), MAX_PARTITION_GROUPS if name == "partition_groups" else 65_535
        if type(value) is not int or not 1 <= value <= most:
            raise ValueError(f"{name} is {value!r}, it must be a whole number from 1 to {most}")
    if type(settings.speed) not in {int, float} or not 0 < settings.speed <= MAX_SPEED:
        raise ValueError(f"speed is {settings.speed!r}, it must be a number above 0 and at most {MAX_SPEED}")
    port = settings.listener_port
    if port is not None and (type(port) is not int or not 1 <= port <= 65_535):
        raise ValueError(f"listener_port is {port!r}, it must be null or a whole number from 1 to 65535")
    for name in ("zone", "host", "listener_host"):
        if not isinstance(getattr(settings, name), str) or not getattr(settings, name):
            raise ValueError(f"{name} is {getattr(settings, name)!r}, it must be text")
    _require_sound_zone(settings)
    for name in ("postgres_url", "nats_dmz_url", "nats_core_url", "clickhouse_url"):
        # The value itself may hold a password.
        if not isinstance(getattr(settings, name), str | None):
            raise ValueError(f"{name} must be text or null")  # noqa: TRY004 - the file is wrong, not our call
    zone_named(settings.zone)


def _require_sound_zone(settings: Settings) -> None:
    """Pass if what is said of the security zone and the addresses between zones can be used. Raises ValueError."""
    for name in ("gateway_host", "dmz_bus_host", "web_certificate", "web_key"):
        value = getattr(settings, name)
        if value is not None and (not isinstance(value, str) or not value):
            raise ValueError(f"{name} is {value!r}, it must be text or null")
    if settings.security_zone not in {WHOLE, DMZ, CORE, FIELD}:
        raise ValueError(f"security_zone is {settings.security_zone!r}, it must be whole, dmz, core or field")
    if settings.security_zone in {DMZ, CORE} and not (settings.dmz_bus_host or settings.nats_dmz_url):
        raise ValueError(f"security_zone is {settings.security_zone}: dmz_bus_host must say where the DMZ's bus is")
    if (settings.web_certificate is None) != (settings.web_key is None):
        raise ValueError("web_certificate and web_key belong together: give both or neither")
