"""Ports of the key room: where the root key is, and the vault."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.security.keys.context import KeySet, KeyState
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import Shipment
from openami.security.keys.table import KeyColumns


class VaultError(OpenAmiError):
    """The vault refused; the text says what to mend and shows no key."""


class VaultUnavailableError(VaultError):
    """The vault does not answer now: try again."""


class RootKeyError(VaultError):
    """The root key is missing, of the wrong length or readable by others."""


class RootKeyUnavailableError(RootKeyError, VaultUnavailableError):
    """Whatever keeps the root key does not answer now: try again."""


class KeyStateError(VaultError):
    """A change that the states of a meter's keys do not allow; nothing was changed."""


class RootKey(Protocol):
    """Wraps installation keys with AES-256-GCM. The key itself need not leave where it is kept. Calls may block.

    Its text says where it is kept, for people.
    """

    @property
    def layout(self) -> int:
        """First octet of what it wraps: 1 for a key in a file, 2 for one in a token."""
        ...

    def wrap(self, key: Secret, *, context: bytes, nonce: bytes) -> bytes:
        """Return a key wrapped and bound to its context, in the layout of :mod:`openami.security.keys.envelope`.

        Args:
            key: the key to protect.
            context: additional authenticated data.
            nonce: 12 fresh random octets.

        Raises:
            RootKeyError: the root key cannot be had, or it is not kept safely.
        """
        ...

    def unwrap(self, wrapped: bytes, *, context: bytes) -> Secret:
        """Return the key inside.

        Raises:
            KeyBindingError: it does not open under this root key in this context.
            RootKeyError: as :meth:`wrap`.
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
class MasterKey:
    """The key that a meter takes new keys under. Its text is a mask."""

    meter_id: UUID
    generation: int
    key: Secret


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

    async def import_shipment(self, shipment: Shipment, *, at: datetime, is_signed: bool = False) -> ShipmentReport:
        """Keep every key of the shipment, or none. The same shipment again changes nothing.

        Args:
            shipment: what came.
            at: domain time of the import.
            is_signed: it came sealed, under a registered key of its maker.

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


class KeyChanges(Protocol):
    """How keys come and go while meters are in use: new, proved, in use, expired, withdrawn.

    Each call is one transaction, on disk when it returns. Every method raises :class:`VaultUnavailableError` when the
    database cannot be reached, and :class:`KeyStateError` for a step that the states do not allow. Keys of a pair
    share a generation; a master key has a row of generations of its own.
    """

    async def keep_new_pair(
        self, meter_id: UUID, *, encryption_key: Secret, authentication_key: Secret, at: datetime
    ) -> int:
        """Keep a new pair, not proved by the meter yet; return its generation. One set at a time may be new."""
        ...

    async def keep_new_master(self, meter_id: UUID, *, key: Secret, at: datetime) -> int:
        """Keep a new master key as :meth:`keep_new_pair` does; a meter that never had one cannot get one."""
        ...

    async def activate(self, meter_id: UUID, what: KeySet, generation: int, *, at: datetime) -> None:
        """Put new keys into use, and let those that were in use expire. Again changes nothing."""
        ...

    async def withdraw(self, meter_id: UUID, what: KeySet, generation: int, *, at: datetime) -> None:
        """Give up keys that are not in use, and forget them. Again changes nothing."""
        ...

    async def withdraw_expired(self, *, before: datetime, at: datetime) -> int:
        """Withdraw every key that expired before an instant; return how many."""
        ...

    async def master_key(self, meter_id: UUID, *, state: KeyState = KeyState.ACTIVE) -> MasterKey | None:
        """Return a meter's master key in a state, or None. For the command process alone.

        Raises:
            KeyBindingError: its row does not open.
        """
        ...
