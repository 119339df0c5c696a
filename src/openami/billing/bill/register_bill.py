"""A bill of a service point that is read by register alone: by a drive, by hand, by the customer. Pure.

Its energy is what the register advanced between the two reads, spread evenly over the hours of the bill, so that a
change of season or price within it takes its share of days. A price that asks for the time of day cannot be told so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.make import Making, held_bill, reviewed_bill
from openami.billing.bill.order import BillOrder
from openami.billing.bill.readings import joined_reads
from openami.billing.bill.record import Bill
from openami.billing.bill.review import asks_for_times
from openami.billing.bill.true_up import rolled_over
from openami.billing.rating.determinant import determinants
from openami.billing.rating.rate import rate
from openami.billing.rating.usage import I64, Usage
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import ExportTerms, Netting
from openami.contracts.channel import Channel
from openami.kernel.time import HOUR_S
from openami.mdm.api import ReadKind, ReadPiece

_RECKONED = frozenset({ReadKind.ESTIMATED, ReadKind.APPORTIONED})
"""Reads that nobody took: what was reckoned may be too high, and that is no roll-over."""


def register_bill(making: Making, order: BillOrder, pieces: Sequence[ReadPiece]) -> Bill:
    """Return the bill of one place from its reads: issued, or held with the reason."""
    schedule, span = making.schedule, order.span
    reads = joined_reads(pieces, order)
    delivered = [p for p in reads if p.channel is Channel.DELIVERED]
    energy = register_energy(delivered)
    if isinstance(energy, str):
        return held_bill(making, order, HoldCode.NO_READ, energy, reads=reads)
    try:
        tariff = schedule.versions[schedule.version_on(span.last)]
        sent = sent_out(tariff.export, order, pieces)
        if isinstance(sent, str):
            return held_bill(making, order, HoldCode.NO_READ, sent, reads=reads)
        if asks_for_times(tariff) or (sent and tariff.export and tariff.export.netting is Netting.HOUR):
            words = f"the rate {schedule.code} asks for times of day; this place is read by register alone"
            return held_bill(making, order, HoldCode.NEEDS_INTERVALS, words, reads=reads)
        period = span.period(making.zone)
        start = np.arange(period.start_s, period.end_s, HOUR_S, dtype=np.int64)
        received = spread(sent, len(start)) if sent else None
        usage = Usage(start, spread(energy, len(start)), HOUR_S, received_wh=received)
        (found,) = determinants(schedule, usage, [span], making.zone, order.terms)
        rated = rate(schedule, found, order.terms, order.carried)
    except TariffError as error:
        return held_bill(making, order, HoldCode.RATE_REFUSED, str(error), reads=reads)
    return reviewed_bill(making, order, rated, (0,) * span.days, reads)


def register_energy(delivered: Sequence[ReadPiece]) -> int | str:
    """Return the energy between the reads of all meters that hung there [Wh], or why it cannot be told.

    A register that shows a little less did not roll over: what was reckoned before was too high, or a read is wrong.
    """
    if not delivered:
        return "no meter with a register hung there"
    total = 0
    for piece in delivered:
        begin, end = piece.begin, piece.end
        if begin.value is None or end.value is None:
            at = begin.at if begin.value is None else end.at
            return f"meter {piece.meter} was not read around {at.date()}, and nothing is known to estimate it from"
        back = begin.value - end.value
        if back > 0 and not rolled_over(back, piece.capacity):
            if begin.kind not in _RECKONED:
                return f"the register of meter {piece.meter} went back from {begin.value} to {end.value}"
            too_high = back * piece.multiplier / 1000
            return f"the estimate before was too high by {too_high:.0f} kWh: the estimated bills have to be corrected"
        if piece.usage_wh is None:
            return f"the register of meter {piece.meter} went back from {begin.value} to {end.value}"
        total += piece.usage_wh
    return total


def sent_out(export: ExportTerms | None, order: BillOrder, pieces: Sequence[ReadPiece]) -> int | str:
    """Return the energy that registers of received energy counted [Wh], or why a rate that credits it cannot tell.

    Where nothing of it is credited, what was read is listed and what was not read holds no bill.
    """
    counted = [p for p in pieces if p.channel is Channel.RECEIVED and p.has_register]
    is_credited = export is not None and bool(order.terms.approved_w or not export.needs_interconnection)
    if not is_credited or not counted:
        return sum(p.usage_wh or 0 for p in joined_reads(counted, order))
    energy = register_energy(joined_reads(counted, order, with_unread=True))
    return f"{energy} (energy sent out)" if isinstance(energy, str) else energy


def spread(energy_wh: int, parts: int) -> I64:
    """Spread energy evenly over so many intervals, whole Wh, the odd ones evenly too.

    >>> spread(7, 4).tolist()
    [1, 2, 2, 2]
    """
    edges = np.arange(parts + 1, dtype=np.int64) * energy_wh // parts
    return np.diff(edges)
