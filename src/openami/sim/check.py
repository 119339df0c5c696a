"""Checkers of the platform's own results. They see what SQL and the store return, never the world.

The law: for each service point and channel the validated days, plus the gaps that are named as gaps, equal what the
registers advanced over the same time, to one watt-hour, whatever was lost, exchanged or rolled over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from openami.kernel.finding import Finding, Severity

TOLERANCE_WH = 1


@dataclass(frozen=True, slots=True)
class RegisterStretch:
    """What one meter's register showed while it hung at a service point, oldest first.

    Args:
        shown_wh: counts at the installation (or the first read in the time checked), at each read, and at the removal
            (or the last read) [Wh].
        capacity_wh: count at which the register rolls over to 0 [Wh].
        multiplier: meter constant.
    """

    shown_wh: Sequence[int]
    capacity_wh: int
    multiplier: int = 1

    @property
    def advance_wh(self) -> int:
        """What passed through the meter between the first and the last count; reads are closer than a rollover."""
        steps = zip(self.shown_wh, self.shown_wh[1:], strict=False)
        return self.multiplier * sum((later - earlier) % self.capacity_wh for earlier, later in steps)


@dataclass(frozen=True, slots=True)
class Ledger:
    """One service point and channel over a time that begins and ends with a register count.

    Args:
        service_point_id: where.
        channel: channel number.
        days_wh: totals of the latest version of each local day in the time [Wh].
        named_gaps_wh: energy of gaps that were left open and named [Wh].
        stretches: the registers, one per meter that hung there.
    """

    service_point_id: UUID
    channel: int
    days_wh: Sequence[int]
    named_gaps_wh: int
    stretches: Sequence[RegisterStretch]


def energy_is_conserved(ledgers: Iterable[Ledger], *, tolerance_wh: int = TOLERANCE_WH) -> list[Finding]:
    """Return a finding for every ledger that does not balance; none is the law kept.

    >>> kept = Ledger(UUID(int=1), 1, [30, 12], 0, [RegisterStretch([90, 20], 100), RegisterStretch([0, 12], 100)])
    >>> energy_is_conserved([kept])
    []
    """
    findings = []
    for ledger in ledgers:
        advance_wh = sum(s.advance_wh for s in ledger.stretches)
        accounted_wh = sum(ledger.days_wh) + ledger.named_gaps_wh
        if abs(advance_wh - accounted_wh) > tolerance_wh:
            evidence = {"register_wh": advance_wh, "accounted_wh": accounted_wh, "channel": ledger.channel}
            findings.append(
                Finding("energy_conservation", Severity.FAIL, str(ledger.service_point_id), evidence=evidence)
            )
    return findings
