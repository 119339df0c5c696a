"""Health of collectors: what a collector says of itself in a heartbeat, and what the gateway says of it to core.

A *report* travels inside link v1's HEARTBEAT, binary and small. A *word* is the gateway's statement about one
collector, JSON, last ones kept on the stream ``DMZ_HEALTH`` by collector. Neither names a customer or a meter.

Report, big-endian: ``version u8 | flags u8 | uptime_s u32 | latitude i32 | longitude i32 [1e-7 degree] | cell u32 |
certificate_days_left i16 | spool_frames u32 | clock_ms u64``. A later version appends fields: a reader takes what it
knows and leaves the rest. An old collector sends none.

Source: requirements R5.1 and R5.2 (enclosure, position, cell; three missed heartbeats).
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from enum import StrEnum

from openami.contracts.errors import ContractError

VERSION = 1
MAX_REPORT_OCTETS = 256
"""Room for later versions; more is no report."""
DEGREE_E7 = 10_000_000
MAX_CELL = 2**32 - 1
_REPORT = struct.Struct(">BBIiiIhIQ")
_ENCLOSURE_OPEN = 0x01
_ON_BACKUP_SUPPLY = 0x02
_LONGEST_DAYS = 32_767
_LATEST_MS = 253_402_214_400_000
"""9999-12-31: a collector's clock may say anything, and no later instant is printed anywhere."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What a collector says of itself.

    Args:
        uptime_s: since it started, 0 to 2^32 - 1.
        is_enclosure_open: its door's contact is open now.
        is_on_backup_supply: the mains are away and its battery carries it.
        latitude_e7, longitude_e7: where it is, 1e-7 degree; both 0 where it does not know.
        cell: number of the mobile network's cell that carries its backhaul; 0 for none.
        certificate_days_left: whole days until its certificate ends; negative once it has.
        spool_frames: frames on its disk that the stream does not have.
        clock_ms: its own clock, milliseconds since the epoch.
    """

    uptime_s: int
    is_enclosure_open: bool
    is_on_backup_supply: bool
    latitude_e7: int
    longitude_e7: int
    cell: int
    certificate_days_left: int
    spool_frames: int
    clock_ms: int

    @property
    def has_position(self) -> bool:
        """Whether it knows where it is."""
        return (self.latitude_e7, self.longitude_e7) != (0, 0)


def encode_report(report: HealthReport) -> bytes:
    """Return a report as octets; what is out of its field's range is held at the edge."""
    flags = _ENCLOSURE_OPEN * report.is_enclosure_open | _ON_BACKUP_SUPPLY * report.is_on_backup_supply
    return _REPORT.pack(
        VERSION,
        flags,
        _within(report.uptime_s, 0, MAX_CELL),
        _within(report.latitude_e7, -90 * DEGREE_E7, 90 * DEGREE_E7),
        _within(report.longitude_e7, -180 * DEGREE_E7, 180 * DEGREE_E7),
        _within(report.cell, 0, MAX_CELL),
        _within(report.certificate_days_left, -_LONGEST_DAYS, _LONGEST_DAYS),
        _within(report.spool_frames, 0, MAX_CELL),
        _within(report.clock_ms, 0, _LATEST_MS),
    )


def decode_report(octets: bytes) -> HealthReport:
    """Read a report.

    Raises:
        ContractError: too short or too long, version 0, or a place or time that there is not.
    """
    if not _REPORT.size <= len(octets) <= MAX_REPORT_OCTETS:
        raise ContractError(f"a health report of {len(octets)} octets")
    version, flags, uptime_s, latitude, longitude, cell, days, frames, clock_ms = _REPORT.unpack_from(octets)
    if version < VERSION:
        raise ContractError("a health report of version 0")
    if abs(latitude) > 90 * DEGREE_E7 or abs(longitude) > 180 * DEGREE_E7 or clock_ms > _LATEST_MS:
        raise ContractError("a health report from no place or time that there is")
    return HealthReport(
        uptime_s=uptime_s,
        is_enclosure_open=bool(flags & _ENCLOSURE_OPEN),
        is_on_backup_supply=bool(flags & _ON_BACKUP_SUPPLY),
        latitude_e7=latitude,
        longitude_e7=longitude,
        cell=cell,
        certificate_days_left=days,
        spool_frames=frames,
        clock_ms=clock_ms,
    )


class LinkPresence(StrEnum):
    """Whether a collector has a connection."""

    OPEN = "open"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class CollectorWord:
    """What the gateway says of one collector.

    Args:
        collector_id: which.
        gateway_id: who says it.
        presence: whether it has a connection now.
        since_ms: since when, the gateway's real clock, milliseconds since the epoch.
        heard_at_ms: when anything of it came last.
        told_at_ms: when this was said; a word is said again every so often, so an old one means a silent gateway.
        gateway_since_ms: when this run of the gateway began: of a collector that has not come back since, only an
            older run has spoken.
        cause: why the last connection ended, one word; empty while it is open.
        opened_at_ms: when its enclosure was last reported open, however shortly; 0 for never in the gateway's memory.
        clock_offset_ms: its clock less the gateway's, when the report came.
        report: the newest; None where it has sent none.
        refused: frames that it brought in this run of the gateway and that nobody may take: damaged, in the clear or
            half protected, too large.
        set_aside: frames that it brought and that may pass later: of unknown devices, over a rate, from a theft.
        refused_at_ms: when one of either came last; 0 for never in this run.
    """

    collector_id: int
    gateway_id: int
    presence: LinkPresence
    since_ms: int
    heard_at_ms: int
    told_at_ms: int
    gateway_since_ms: int = 0
    cause: str = ""
    opened_at_ms: int = 0
    clock_offset_ms: int = 0
    report: HealthReport | None = None
    refused: int = 0
    set_aside: int = 0
    refused_at_ms: int = 0

    def encode(self) -> bytes:
        """Return the word as JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def decode(cls, octets: bytes) -> CollectorWord:
        """Read a word.

        Raises:
            ContractError: not a word.
        """
        try:
            row = json.loads(octets)
            row["presence"] = LinkPresence(row["presence"])
            numbers = ("collector_id", "gateway_id", "since_ms", "heard_at_ms", "told_at_ms", "gateway_since_ms")
            # A gateway of an earlier release says nothing of what it refused.
            counts = [row.get(name, 0) for name in ("refused", "set_aside", "refused_at_ms")]
            said = [row["clock_offset_ms"], row["opened_at_ms"], *(row[name] for name in numbers), *counts]
            if any(type(n) is not int or abs(n) > _LATEST_MS for n in said) or min(said[1:]) < 0:
                raise ContractError("a collector's word without its numbers")
            if not 1 <= row["collector_id"] <= MAX_CELL or not isinstance(row["cause"], str):
                raise ContractError("a collector's word on no collector")
            if row["report"] is not None:
                row["report"] = decode_report(encode_report(HealthReport(**row["report"])))
            return cls(**row)
        except (ValueError, KeyError, TypeError, struct.error, RecursionError) as error:
            raise ContractError(f"a collector's word: {type(error).__name__}") from error


def _within(value: int, least: int, most: int) -> int:
    return max(least, min(most, value))
