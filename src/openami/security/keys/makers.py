"""Makers of meters: whose signature on a shipment we believe, and what they encrypt shipments to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from openami.security.keys.secret import Secret


@dataclass(frozen=True, slots=True)
class MakerKey:
    """One public key of a maker.

    Args:
        maker: its name, as in its shipments.
        public_key: ``X || Y`` on P-256.
        registered_by: who registered it.
        registered_at: real time.
        withdrawn_at: since when its signature is believed no more; None while it is.
    """

    maker: str
    public_key: bytes
    registered_by: str
    registered_at: datetime
    withdrawn_at: datetime | None = None


class Makers(Protocol):
    """The vault as whoever takes shipments sees it. Raises ``VaultUnavailableError`` as the vault does."""

    async def shipment_key(self, *, at: datetime) -> Secret:
        """Return the private key that makers encrypt shipments to, a scalar of P-256; made at its first use."""
        ...

    async def keys_of_maker(self, maker: str) -> list[bytes]:
        """Return the public keys of a maker that are good now."""
        ...

    async def makers(self) -> Sequence[MakerKey]:
        """Return every key that was ever registered, by maker."""
        ...

    async def register_maker(self, key: MakerKey) -> None:
        """Believe a maker's signature from now on. Again changes nothing.

        Raises:
            ShipmentError: the key is no point of P-256, another maker has it, or it was withdrawn.
        """
        ...

    async def withdraw_maker(self, maker: str, *, at: datetime) -> int:
        """Believe no signature of this maker any more; return how many keys that were."""
        ...
