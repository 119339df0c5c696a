"""Sealed pushes of made-up meters, for measurements and tests: a factory, not a meter.

The octets are those of profile ``oam-1`` or ``oam-6`` and are built by the protocol room as a real meter's are. Keys
come from the seed, so a run can be repeated; they protect nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import numpy as np

from openami.contracts.frame import FrameClass, FrameRow, SealedFrame
from openami.contracts.reading import uuid_column
from openami.kernel.ids import SystemTitle
from openami.kernel.time import epoch_s
from openami.protocol import apdu
from openami.protocol.axdr import Data, array, octet_string, structure, u8, u16, u32
from openami.protocol.cosem import date_time_from_utc
from openami.protocol.envelope import wrap
from openami.protocol.envelope.ports import PUSH_SINK_PORT, PushPort
from openami.protocol.push import LOAD_PROFILE_PUSH, PROFILE, LoadProfileRow, load_profile_body
from openami.security.keys.table import KeyColumns, title_number
from openami.security.suites import gcm

WIDE_PROFILE = "oam-6"
FIRST_END = datetime(2026, 1, 5, 6, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True, repr=False)
class MadeUpMeter:
    """Title, id and keys of one meter."""

    title: bytes
    meter_id: UUID
    key: bytes
    auth_key: bytes


class PushFactory:
    """Meters by number and the pushes they would send.

    Args:
        meters: how many.
        seed: of titles, ids and keys.
        wide: six values an interval (profile ``oam-6``) instead of three (``oam-1``).
    """

    def __init__(self, *, meters: int, seed: int = 1, wide: bool = False) -> None:
        self.profile = WIDE_PROFILE if wide else PROFILE
        self.values = 6 if wide else 3
        dice = Random(seed)  # noqa: S311 - keys that protect nothing, repeatable on purpose
        self.meters = [
            MadeUpMeter(
                b"OAM" + (0x10_0000 * seed + n).to_bytes(5),
                UUID(bytes=dice.randbytes(16), version=4),
                dice.randbytes(16),
                dice.randbytes(16),
            )
            for n in range(meters)
        ]

    def key_columns(self) -> KeyColumns:
        """Return what the vault would give for these meters."""
        count = len(self.meters)
        return KeyColumns(
            title=np.array([title_number(m.title) for m in self.meters], np.uint64),
            meter_id=uuid_column([m.meter_id for m in self.meters]),
            generation=np.ones(count, np.uint32),
            state=np.zeros(count, np.uint8),
            profile=(self.profile,) * count,
            zone=("",) * count,
            encryption_keys=b"".join(m.key for m in self.meters),
            authentication_keys=b"".join(m.auth_key for m in self.meters),
            revision=1,
        )

    def shipment(self, name: str = "made-up") -> dict[str, object]:
        """Return the shipment document of these meters."""
        return {
            "shipment_id": name,
            "made_at": FIRST_END.isoformat(),
            "maker": "OAM",
            "profile": self.profile,
            "meters": [
                {
                    "meter_id": str(m.meter_id),
                    "system_title": m.title.hex(),
                    "serial": str(n),
                    "encryption_key": m.key.hex(),
                    "authentication_key": m.auth_key.hex(),
                }
                for n, m in enumerate(self.meters)
            ],
        }

    def rows(self, number: int, *, end: datetime = FIRST_END, count: int = 4) -> list[LoadProfileRow]:
        """Return that many intervals, the first ending at ``end``; values depend on meter and time alone."""
        rows = []
        for i in range(count):
            at = end + timedelta(seconds=900 * i)
            dice = (epoch_s(at) // 900 * 2_654_435_761 + number * 40_503) % 2**32
            rows.append(LoadProfileRow(at, 0, dice % 3_000, 0, 2_380 + dice % 50))
        return rows

    def octets(
        self,
        number: int,
        counter: int,
        body: Data,
        *,
        control: int = gcm.AUTHENTICATED_AND_ENCRYPTED,
        key: bytes | None = None,
        port: int = PushPort.LOAD_PROFILE,
    ) -> bytes:
        """Return a wrapper frame of one sealed notification."""
        meter = self.meters[number]
        plaintext = apdu.encode(apdu.DataNotification(counter, None, body))
        sealed = gcm.seal(
            meter.title, counter, plaintext, key=key or meter.key, auth_key=meter.auth_key, control=control
        )
        return wrap(port, PUSH_SINK_PORT, apdu.general_glo(meter.title, sealed))

    def profile_push(self, number: int, counter: int, *, end: datetime = FIRST_END, rows: int = 4) -> bytes:
        """Return the wrapper frame of a load-profile push."""
        sent = self.rows(number, end=end, count=rows)
        return self.octets(number, counter, load_profile_body(sent) if self.values == 3 else _wide_body(sent))

    def frame(self, number: int, octets: bytes, *, seq: int = 1) -> SealedFrame:
        """Return the octets as a collector would hand them over."""
        title = SystemTitle(self.meters[number].title)
        return SealedFrame(1, seq, FrameClass.PROFILE, title, epoch_s(FIRST_END) * 1000, octets)

    def profile_frames(self, count: int, *, rows: int = 4, first_counter: int = 1) -> list[SealedFrame]:
        """Return that many frames, meter after meter, each meter's counter and time running on."""
        frames = []
        for i in range(count):
            turn, number = divmod(i, len(self.meters))
            octets = self.profile_push(number, first_counter + turn, end=_first_end(turn, rows), rows=rows)
            frames.append(self.frame(number, octets, seq=i + 1))
        return frames

    def rows_of_frames(self, count: int, *, rows: int = 4) -> Iterator[tuple[MadeUpMeter, LoadProfileRow]]:
        """Yield what :meth:`profile_frames` seals, from before it is sealed."""
        for i in range(count):
            turn, number = divmod(i, len(self.meters))
            for row in self.rows(number, end=_first_end(turn, rows), count=rows):
                yield self.meters[number], row


def _wide_body(rows: Sequence[LoadProfileRow]) -> Data:
    """Return the body of profile ``oam-6``: reactive energy and the first rate's follow from the active energy."""
    return structure(
        octet_string(LOAD_PROFILE_PUSH.octets),
        array(
            *(
                structure(
                    octet_string(date_time_from_utc(r.end).encode()),
                    u8(r.status),
                    u32(r.delivered_wh),
                    u32(r.received_wh),
                    u32(r.delivered_wh // 4),
                    u32(r.delivered_wh // 9),
                    u32(r.delivered_wh // 2),
                    u16(r.voltage_dv),
                )
                for r in rows
            )
        ),
    )


def _first_end(turn: int, rows: int) -> datetime:
    return FIRST_END + timedelta(seconds=900 * rows * turn)


def frame_row(frame: SealedFrame) -> FrameRow:
    """Return a frame as the row that hot paths read."""
    title = frame.system_title.octets
    return (frame.collector_id, frame.seq, frame.frame_class, title, frame.collected_at_ms, frame.octets)
