"""Usage as answers: chart columns, the home page's day and the download. Asks the ports within the granted time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.quality import Method, QualityState
from openami.customer.usual_day import comparison_span, interval_starts, usual_day
from openami.kernel.time import Period, epoch_s, instant_from_epoch_s, local_date, local_day, zone_named
from openami.mdm.api import codes_of
from openami.portal import chart
from openami.portal.config import Ports
from openami.portal.ports import Series
from openami.portal.problem import bad_request, not_found
from openami.portal.views.usage import (
    ChartChannel,
    DaySoFarView,
    HomeView,
    IntervalsView,
    NoticeView,
    PriceColumnsView,
    Resolution,
)
from openami.security.access.scope import Scope

CHANNEL_OF: dict[ChartChannel, Channel] = {
    ChartChannel.DELIVERED: Channel.DELIVERED,
    ChartChannel.RECEIVED: Channel.RECEIVED,
    ChartChannel.VOLTAGE: Channel.VOLTAGE,
}
LIVE_SLACK_S = 600
"""A push is due at the interval's end; radio, jitter and our own path take less than this."""


async def zone_of(ports: Ports, service_point_id: UUID) -> ZoneInfo:
    """Return the zone of a service point.

    Raises:
        ProblemError: there is no such service point.
    """
    name = await ports.usage.zone_of(service_point_id)
    if name is None:
        raise not_found("service point")
    return zone_named(name)


def range_of(first: date, last: date, zone: ZoneInfo, resolution: Resolution) -> Period:
    """Return the local days from first to last (both included) as a period.

    Raises:
        ProblemError: backwards, outside the calendar, or longer than the resolution allows.
    """
    if last < first:
        raise bad_request("The range ends before it begins.", "Swap the two dates.")
    limit = chart.MAX_DAYS[resolution]
    if (last - first).days + 1 > limit:
        raise bad_request(f"The range is longer than {limit} days.", "Ask for less, or for a coarser resolution.")
    if first.year < 1990 or last.year > 2200:
        raise bad_request("The range lies outside 1990 to 2200.", "Check the years.")
    return Period(local_day(first, zone).start, local_day(last, zone).end)


async def granted_series(
    ports: Ports, scope: Scope, service_point_id: UUID, channel: Channel, period: Period
) -> Series:
    """Return the series on a full grid over the granted part of the period, perhaps empty.

    What the scope does not grant is neither asked of the store nor, should the store send it, passed on.
    """
    parts: list[Series] = []
    now_s = epoch_s(ports.domain.now())
    for granted in scope.granted(service_point_id, period):
        series = await ports.usage.intervals(scope, service_point_id, channel, granted)
        # An interval that straddles the move-in belongs to neither occupant.
        inside = (series.start_s >= granted.start_s) & (series.start_s + series.interval_s <= granted.end_s)
        aligned = _aligned(granted, series)
        if aligned is not None:
            parts.append(chart.on_grid(_masked(series, inside), aligned, now_s=now_s))
    if not parts:
        return _empty()
    if len(parts) == 1:
        return parts[0]
    return Series(
        start_s=np.concatenate([p.start_s for p in parts]),
        value=np.concatenate([p.value for p in parts]),
        quality=np.concatenate([p.quality for p in parts]),
        low=np.concatenate([p.low for p in parts]),
        high=np.concatenate([p.high for p in parts]),
        preliminary=np.concatenate([p.preliminary for p in parts]),
        interval_s=parts[0].interval_s,
        method=np.concatenate([p.methods for p in parts]),
    )


def _masked(series: Series, keep: npt.NDArray[np.bool_]) -> Series:
    if keep.all():
        return series
    return Series(
        start_s=series.start_s[keep],
        value=series.value[keep],
        quality=series.quality[keep],
        low=series.low[keep],
        high=series.high[keep],
        preliminary=series.preliminary[keep],
        interval_s=series.interval_s,
        method=series.methods[keep],
    )


def _empty() -> Series:
    ints = np.zeros(0, np.int64)
    return Series(ints, ints, np.zeros(0, np.uint8), ints, ints, np.zeros(0, np.bool_), 900)


def _aligned(granted: Period, series: Series) -> Period | None:
    """Return the granted part from its first whole interval on; a move-in may lie inside one."""
    step = series.interval_s
    phase = int(series.start_s[0]) % step if len(series.start_s) else 0
    start = granted.start_s + (phase - granted.start_s) % step
    return Period(instant_from_epoch_s(start), granted.end) if start < granted.end_s else None


async def intervals_view(
    ports: Ports,
    scope: Scope,
    service_point_id: UUID,
    *,
    zone: ZoneInfo,
    first: date,
    last: date,
    resolution: Resolution,
    channel: ChartChannel,
) -> IntervalsView:
    """Return chart data of a range of local days."""
    period = range_of(first, last, zone, resolution)
    spec = CHANNELS[CHANNEL_OF[channel]]
    series = await granted_series(ports, scope, service_point_id, spec.channel, period)
    edges = None if resolution is Resolution.QUARTER else chart.boundaries(first, last, zone, resolution)
    buckets = chart.gathered(series, edges, is_energy=spec.is_energy)
    price = None
    if channel is ChartChannel.DELIVERED and len(series.start_s):
        price = await _price(ports, service_point_id, series, buckets, resolution)
    has_bands = bool((series.quality == QualityState.ESTIMATED).any())
    days, lengths = chart.day_lengths_h(first, last, zone)
    preliminary = np.flatnonzero(series.preliminary & (series.quality != QualityState.MISSING))
    granted = scope.granted(service_point_id, period)
    # Our own columns need no check: validation of 38,000 values would cost more than making them.
    return IntervalsView.model_construct(
        service_point_id=service_point_id,
        channel=channel,
        resolution=resolution,
        zone=zone.key,
        unit=spec.unit.symbol,
        power_of_ten=spec.power_of_ten,
        start=buckets.start_s.tolist(),
        end=buckets.end_s,
        value=chart.with_gaps(buckets.value, buckets.is_known),
        quality=chart.quality_runs(buckets.quality),
        low=chart.with_gaps(buckets.low, buckets.is_known) if has_bands else None,
        high=chart.with_gaps(buckets.high, buckets.is_known) if has_bands else None,
        estimated_share=buckets.estimated_share,
        missing_share=buckets.missing_share,
        price=price,
        days=days,
        day_lengths=lengths,
        preliminary_from=int(series.start_s[preliminary[0]]) if len(preliminary) else None,
        granted_from=granted[0].start_s if granted else None,
        granted_to=granted[-1].end_s if granted else None,
    )


async def _price(
    ports: Ports, service_point_id: UUID, series: Series, buckets: chart.Buckets, resolution: Resolution
) -> PriceColumnsView | None:
    priced = await ports.bills.price(service_point_id, series.start_s, series.value, interval_s=series.interval_s)
    if priced is None:
        return None
    cost = None
    if priced.cost is not None:
        sums = np.bincount(buckets.index, weights=priced.cost, minlength=len(buckets.start_s))
        cost = chart.with_gaps(np.round(sums, 6), buckets.is_known)
    period = priced.period
    if resolution is Resolution.HOUR:
        # Prices change on the hour: the first interval speaks for its hour.
        period = period[np.searchsorted(buckets.index, np.arange(len(buckets.start_s)))]
    fine = resolution in {Resolution.QUARTER, Resolution.HOUR}
    return PriceColumnsView.model_construct(
        currency=priced.currency,
        period_names=list(priced.period_names),
        period=chart.run_lengths(period) if fine else [],
        cost=cost,
    )


async def home_view(ports: Ports, scope: Scope, service_point_id: UUID, *, zone: ZoneInfo, period: Period) -> HomeView:
    """Return the home page: today against a usual day, yesterday, the open bill, and one notice at most."""
    now = ports.domain.now()
    today = local_date(now, zone)
    series = await granted_series(ports, scope, service_point_id, Channel.DELIVERED, period)
    yesterday = _day_of(series, today - timedelta(days=1), zone)
    known = yesterday.quality != QualityState.MISSING
    last_end = _newest_received(series) or await ports.usage.last_reading_end(scope, service_point_id)
    is_live = last_end is not None and (now - last_end).total_seconds() <= 2 * series.interval_s + LIVE_SLACK_S
    day = _day_so_far(series, today, zone)
    return HomeView.model_construct(
        service_point_id=service_point_id,
        zone=zone.key,
        domain_now=epoch_s(now),
        today=day,
        yesterday_wh=int(yesterday.value[known].sum()) if known.any() else None,
        yesterday_quality=chart.quality_runs(yesterday.quality),
        bill=await ports.bills.so_far(scope, service_point_id, now),
        last_reading_at=epoch_s(last_end) if last_end else None,
        is_live=is_live,
        notice=_notice(yesterday, is_live=is_live, last_end=last_end, zone=zone),
    )


def home_span(now: datetime, zone: ZoneInfo) -> Period:
    """Return the span of readings that the home page looks at: today and four weeks before."""
    return comparison_span(local_date(now, zone), zone)


def _newest_received(series: Series) -> datetime | None:
    """Return the end of the newest raw interval at hand; None where none came since the last validated day."""
    raw = np.flatnonzero(series.preliminary & (series.quality != QualityState.MISSING))
    return instant_from_epoch_s(int(series.start_s[raw[-1]]) + series.interval_s) if len(raw) else None


def _day_of(series: Series, day: date, zone: ZoneInfo) -> Series:
    period = local_day(day, zone)
    return _masked(series, (series.start_s >= period.start_s) & (series.start_s < period.end_s))


def _day_so_far(series: Series, today: date, zone: ZoneInfo) -> DaySoFarView:
    so_far = _day_of(series, today, zone)
    known = so_far.quality != QualityState.MISSING
    by = int(so_far.start_s[known][-1]) + series.interval_s if known.any() else local_day(today, zone).start_s
    usual = usual_day(
        series.start_s,
        series.value,
        is_known=series.quality != QualityState.MISSING,
        day=today,
        zone=zone,
        interval_s=series.interval_s,
        by=instant_from_epoch_s(by),
    )
    starts = interval_starts(today, zone, series.interval_s)
    values: list[int | None] = [None] * len(starts)
    for at, value, is_known in zip(
        np.searchsorted(starts, so_far.start_s).tolist(), so_far.value.tolist(), known.tolist(), strict=True
    ):
        values[at] = value if is_known else None
    return DaySoFarView.model_construct(
        local_day=today,
        start=starts.tolist(),
        value_wh=values,
        quality=chart.quality_runs(so_far.quality),
        usual_wh=[None if np.isnan(v) else float(v) for v in usual.value_wh.tolist()],
        used_wh=int(so_far.value[known].sum()),
        usual_by_now_wh=usual.by_now_wh,
        intervals_so_far=int(known.sum()),
    )


def _notice(yesterday: Series, *, is_live: bool, last_end: datetime | None, zone: ZoneInfo) -> NoticeView | None:
    if last_end is None:
        return NoticeView(kind="waiting", text="Your meter has not sent a reading yet. The first one shows here.")
    if not is_live:
        when = last_end.astimezone(zone)
        stamp = f"{when:%a} {when.day} {when:%b}, {when:%H:%M}"
        text = f"No reading since {stamp}. Your meter keeps counting; nothing is lost."
        return NoticeView(kind="live_stopped", text=text)
    missing = int((yesterday.quality == QualityState.MISSING).sum())
    if missing:
        return NoticeView(kind="missing", text=f"{missing} intervals of yesterday have not arrived yet.")
    estimated = int((yesterday.quality == QualityState.ESTIMATED).sum())
    if estimated:
        return NoticeView(kind="estimated", text=f"{estimated} intervals of yesterday are estimated; they are hatched.")
    return None


CSV_HEADER = "start,local_start,value,unit,quality,low,high,method,iec,espi,nem12\r\n"


def csv_lines(series: Series, channel: ChartChannel, zone: ZoneInfo) -> Iterator[str]:
    """Yield the download's lines: instants with offset, values in the channel's unit, quality in every code."""
    spec = CHANNELS[CHANNEL_OF[channel]]
    digits = max(0, -spec.power_of_ten)
    factor = 10.0**spec.power_of_ten
    yield CSV_HEADER
    columns = (series.start_s, series.value, series.quality, series.low, series.high, series.methods)
    raw = series.preliminary.tolist()
    for (start, value, state, low, high, how), is_raw in zip(
        zip(*(c.tolist() for c in columns), strict=True), raw, strict=True
    ):
        instant = instant_from_epoch_s(start)
        head = f"{instant:%Y-%m-%dT%H:%M:%SZ},{instant.astimezone(zone).isoformat()}"
        word, method = chart.QUALITY_WORDS[state].value, Method(how)
        codes = codes_of(QualityState(state), method, is_raw=is_raw)
        told = f"{' '.join(codes.iec)},{'' if codes.espi is None else codes.espi},{codes.nem12}"
        if state == QualityState.MISSING:
            yield f"{head},,{spec.unit.symbol},{word},,,,{told}\r\n"
        else:
            numbers = [f"{v * factor:.{digits}f}" for v in (value, low, high)]
            middle = f"{spec.unit.symbol},{word},{numbers[1]},{numbers[2]},{method.name.lower()}"
            yield f"{head},{numbers[0]},{middle},{told}\r\n"
