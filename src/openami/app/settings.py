"""Settings of one installation: what is where, on which port, and how fast domain time runs.

All state lives in one folder, the *home* (``--home``, default ``.openami``). ``settings.json`` in it is written once,
when the home is made, and read by every process. Environment variables ``OPENAMI_POSTGRES_URL``,
``OPENAMI_NATS_DMZ_URL``, ``OPENAMI_NATS_CORE_URL`` and ``OPENAMI_CLICKHOUSE_URL`` point at engines of your own.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from openami.kernel.clock import ScaledClock
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import require_utc

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
        """Return the path of a Unix socket, in the home where the path is short enough."""
        here = self.path.resolve() / "run" / name
        if len(str(here)) <= MAX_SOCKET_PATH:
            self.folder("run")
            return here
        digest = sha256(str(self.path.resolve()).encode()).hexdigest()[:16]
        elsewhere = Path(tempfile.gettempdir()) / f"openami-{os.getuid()}-{digest}"
        elsewhere.mkdir(mode=0o700, exist_ok=True)
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
        speed: domain seconds per real second.
        real_origin, domain_origin: the pair of instants that fixes domain time.
        gateway_id: number of this gateway.
        partition_groups: how many groups the 64 partitions are leased in.
        postgres_url, nats_dmz_url, nats_core_url, clickhouse_url: engines of your own, or None for the built-in ones.
    """

    home: Home
    zone: str = "America/Chicago"
    host: str = "127.0.0.1"
    web_port: int = 8420
    gateway_port: int = 8443
    nats_port: int = 8422
    speed: float = 1.0
    real_origin: datetime = field(default_factory=real_now)
    domain_origin: datetime | None = None
    gateway_id: int = 1
    partition_groups: int = 8
    postgres_url: str | None = None
    nats_dmz_url: str | None = None
    nats_core_url: str | None = None
    clickhouse_url: str | None = None

    def clock(self) -> ScaledClock:
        """Return the domain clock of this installation."""
        return ScaledClock(real_now, self.real_origin, self.domain_origin or self.real_origin, self.speed)

    def save(self) -> None:
        """Write the settings to the home, whole or not at all."""
        row = asdict(self)
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
        except FileNotFoundError as error:
            raise SettingsError(f"{home} is not an OpenAMI home: run `openami up` or `openami demo` first") from error
        except (ValueError, TypeError, KeyError) as error:
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
