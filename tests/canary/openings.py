"""Open what meters, collectors and the command process have sealed, with every key that the vault knows."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from openami.app.devices.shipment import root_key
from openami.app.engines.rooms import room_database
from openami.app.settings import Settings
from openami.contracts.command import decode_command
from openami.contracts.frame import decode_frame_batch
from openami.protocol.envelope.sealed import (
    SERVICE_REQUESTS,
    SERVICE_RESPONSES,
    SealedHeader,
    parse_sealed_header,
    parse_service_sealed,
)
from openami.protocol.errors import PeerError
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import open_sealed

WRAPPER_OCTETS = 8
GENERAL_GLO = b"\xdb\x08"
Pair = tuple[bytes, bytes]


@dataclass(slots=True)
class KeyRing:
    """Key pairs by system title, and how often they opened something.

    Args:
        pairs: all generations of each meter.
        client: the installation's own title, the sender of what goes down.
    """

    pairs: dict[bytes, list[Pair]]
    client: bytes
    opened: int = 0
    shut: int = 0
    _all: list[Pair] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._all = [pair for pairs in self.pairs.values() for pair in pairs]

    def frames(self, batch: bytes) -> Iterator[bytes]:
        """Yield the plain text of each sealed frame of a batch."""
        for frame in decode_frame_batch(batch).frames:
            yield from self._apdu(frame.octets[WRAPPER_OCTETS:], frame.system_title.octets, frame.system_title.octets)

    def command(self, octets: bytes) -> Iterator[bytes]:
        """Yield the plain text of a command's sealed APDU."""
        command = decode_command(octets)
        yield from self._apdu(command.apdu, self.client, command.title.octets)

    def anywhere(self, octets: bytes) -> Iterator[bytes]:
        """Yield the plain text of each sealed APDU that names its sender, wherever it stands in the octets."""
        at = octets.find(GENERAL_GLO)
        while at >= 0:
            whole = _whole(octets, at)
            if whole is not None:
                # Two octets come together by chance often enough: what is no APDU has no length that fits.
                with contextlib.suppress(PeerError):
                    yield from self._opened(whole, parse_sealed_header(whole), None)
            at = octets.find(GENERAL_GLO, at + 1)

    def _apdu(self, apdu: bytes, sender: bytes, meter: bytes) -> Iterator[bytes]:
        try:
            if apdu[:1] == GENERAL_GLO[:1]:
                yield from self._opened(apdu, parse_sealed_header(apdu), meter)
            elif apdu[:1] and apdu[0] in SERVICE_REQUESTS | SERVICE_RESPONSES:
                yield from self._opened(apdu, parse_service_sealed(apdu, title=sender), meter)
            else:
                # AARE and the like: clear by their nature, and so part of what is searched already.
                yield apdu
        except PeerError:
            self.shut += 1

    def _opened(self, apdu: bytes, header: SealedHeader, meter: bytes | None) -> Iterator[bytes]:
        title = header.system_title
        candidates: Sequence[Pair] = self.pairs.get(meter or title, self._all)
        for key, auth_key in candidates:
            try:
                plain = open_sealed(title, apdu[header.body_offset :], key=key, auth_key=auth_key)
            except SuiteError:
                continue
            self.opened += 1
            yield plain
            return
        self.shut += 1


def _whole(octets: bytes, at: int) -> bytes | None:
    """Return the APDU that begins here, or None where its length fits nothing."""
    place = at + 10
    if place >= len(octets):
        return None
    first = octets[place]
    size = first & 0x7F if first & 0x80 else 0
    if size > 2:
        return None
    length = int.from_bytes(octets[place + 1 : place + 1 + size], "big") if size else first
    end = place + 1 + size + length
    return octets[at:end] if length >= struct.calcsize(">BI") + 12 and end <= len(octets) else None


async def key_ring(core: Settings) -> KeyRing:
    """Return every pair that the vault of core holds, whatever its state."""
    async with room_database(core, "openami_security") as engine:
        columns = await PostgresVault(engine, root_key(core)).load()
    pairs: dict[bytes, list[Pair]] = {}
    for row, title in enumerate(columns.title.tolist()):
        span = slice(16 * row, 16 * row + 16)
        pair = (columns.encryption_keys[span], columns.authentication_keys[span])
        pairs.setdefault(int(title).to_bytes(8, "big"), []).append(pair)
    return KeyRing(pairs, (core.home.path / "command" / "system_title").read_bytes())
