"""Ports of the key room: where the root key is, and the vault."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import Shipment
from openami.security.keys.table import KeyColumns


class VaultError(OpenAmiError):
    """The vault refused; the text says what to mend and shows no key."""


class VaultUnavailableError(VaultError):
    """The vault does not answer now: try again."""


class RootKeyError(VaultError):
    """The root key is missing, of the wrong length or readable by others."""


class RootKey(Protocol):
    """Gives the key that wraps installation keys. The default is a file; hardware comes behind the same door."""

    def fetch(self) -> Secret:
        """Return 32 octets.

        Raises:
            RootKeyError: it cannot be had, or it is not kept safely.
        """
        ...


@dataclass(frozen=True, slots=True)
class VaultMeter:
    """What the vault says of a meter without its keys."""

    meter_id: UUID
    system_title: SystemTitle
    serial: str
    profile: str
    zone: str | None


@dataclass(frozen=True, slots=True)
class ShipmentReport:
    """What became of a shipment.

    Args:
        shipment_id: the factory's name for it.
        already_taken: the same shipment was imported before; nothing changed.
        meters: every meter of the shipment with its id, in the shipment's order.
    """

    shipment_id: str
    already_taken: bool
    meters: tuple[VaultMeter, ...]


class KeyVault(Protocol):
    """Keys at rest: wrapped under an installation key that is wrapped under the root key.

    Every method raises :class:`VaultUnavailableError` when the database cannot be reached.
    """

    async def import_shipment(self, shipment: Shipment, *, at: datetime) -> ShipmentReport:
        """Keep every key of the shipment, or none. The same shipment again changes nothing.

        Raises:
            ShipmentError: a title or a key is in the vault already, or the shipment's name was used for another.
        """
        ...

    async def revision(self) -> int:
        """Return a number that grows whenever a key or its state changes; 0 for an empty vault."""
        ...

    async def load(self, *, after_revision: int = 0) -> KeyColumns:
        """Return every key pair that changed after that revision, unwrapped, as columns.

        A row that does not open in its context is named in ``spoiled``.

        Raises:
            KeyBindingError: an installation key does not open: the root key is not this vault's.
        """
        ...

    async def meters(self) -> list[VaultMeter]:
        """Return every meter that has keys, by system title."""
        ...
