"""Received energy by hand, for the engine that reads like the rate sheet: one interval, one hour at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from openami.billing.rating.received import (
    NO_TERMS,
    NOT_APPROVED,
    ExportKey,
    FoundReceived,
    check_hours,
    export_day,
)
from openami.billing.rating.terms import BillTerms
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import ExportTerms, Netting
from openami.billing.tariff.model import RateSchedule


@dataclass(slots=True)
class Flow:
    """One interval: its wall time, its price, and its energy both ways as it counts [Wh]."""

    wall: datetime
    price: tuple[int, int]
    delivered_wh: int
    received_wh: int


def received_by_hand(
    schedule: RateSchedule,
    flows: list[Flow],
    bill: BillTerms,
    version_of: Callable[[date], int],
    interval_s: int,
) -> FoundReceived:
    """Return the received energy that counts, and change the flows to what is charged where hours are netted.

    Raises:
        TariffError: as :func:`~openami.billing.rating.received.received_of`.
    """
    lost_wh, lost_days = 0, []
    epochs: list[int] = []
    for flow in flows:
        epoch = export_day(_terms(schedule, flow, version_of), flow.wall.date(), bill)
        epochs.append(epoch)
        if epoch == NOT_APPROVED and flow.received_wh:
            lost_wh += flow.received_wh
            lost_days.append(flow.wall.date())
        if epoch in (NOT_APPROVED, NO_TERMS):
            flow.received_wh = 0
    _net_hours(schedule, flows, version_of, interval_s)
    credited: dict[ExportKey, int] = {}
    for flow, epoch in zip(flows, epochs, strict=True):
        if flow.received_wh:
            key = (*flow.price, epoch)
            credited[key] = credited.get(key, 0) + flow.received_wh
    return FoundReceived(credited, lost_wh, tuple(sorted(set(lost_days))))


def _terms(schedule: RateSchedule, flow: Flow, version_of: Callable[[date], int]) -> ExportTerms | None:
    return schedule.versions[version_of(flow.wall.date())].export


def _net_hours(schedule: RateSchedule, flows: list[Flow], version_of: Callable[[date], int], interval_s: int) -> None:
    hours: dict[tuple[object, ...], list[Flow]] = {}
    for flow in flows:
        terms = _terms(schedule, flow, version_of)
        if terms is not None and terms.netting is Netting.HOUR:
            check_hours(schedule, interval_s)
            hours.setdefault((flow.wall.date(), flow.wall.hour, flow.wall.utcoffset()), []).append(flow)
    for hour in hours.values():
        if len({f.price for f in hour}) > 1:
            raise TariffError(f"{schedule.code}.export.netting", "an hour has two price periods")
        net = sum(f.delivered_wh - f.received_wh for f in hour)
        for flow in hour:
            flow.delivered_wh = flow.received_wh = 0
        hour[0].delivered_wh, hour[0].received_wh = max(net, 0), max(-net, 0)
