"""NEM12 interval files out: 100 header, 200 register, 300 day, 400 quality ranges, 900 end.

The format's days are 24 hours of a fixed offset, by default the market's (UTC+10): our local days are cut anew, so no
clock change is in it. A day that holds a value NEM12 has no flag for (raw, or waiting for a person) is held back whole.

Source: AEMO, Meter Data File Format Specification NEM12 & NEM13.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.time import EPOCH, epoch_s
from openami.mdm.exporting.coded import CodedValue, coded_values
from openami.mdm.exporting.file import ExportError, ExportFile
from openami.mdm.usage.series import IntervalSeries

MARKET_OFFSET = timedelta(hours=10)
MINUTES = (5, 15, 30)
"""Interval lengths that the format knows."""
_SUFFIXES = {
    Channel.DELIVERED: "E1", Channel.RECEIVED: "B1",
    Channel.REACTIVE_DELIVERED: "Q1", Channel.REACTIVE_RECEIVED: "K1",
}  # fmt: skip
_NMI = re.compile(r"[A-Z0-9]{10}")


def as_nem12(
    series: Sequence[IntervalSeries],
    *,
    nmi: str,
    made_at: datetime,
    sender: str = "OPENAMI",
    receiver: str = "",
    offset: timedelta = MARKET_OFFSET,
) -> ExportFile:
    """Return the channels of one place as a NEM12 file.

    Args:
        series: delivered, received or reactive energy; one interval length each.
        nmi: ten capitals or digits that name the place to the receiver.
        made_at: the file's time.
        sender: participant that sends, at most ten letters or digits.
        receiver: participant that receives; may be empty.
        offset: from UTC, of the file's days.

    Raises:
        ExportError: a name, channel or interval length that the format has no room for.
    """
    if not _NMI.fullmatch(nmi):
        raise ExportError(f"nmi {nmi[:20]!r} is not ten capitals or digits")
    where = timezone(offset)
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(("100", "NEM12", made_at.astimezone(where).strftime("%Y%m%d%H%M"), _who(sender), _who(receiver)))
    configuration = "".join(_suffix(s.channel) for s in series)
    written, held = 0, []
    for one in series:
        writer.writerow(_register_row(one, nmi, configuration))
        for day, values in _days(one, offset):
            if any(v is not None and not v.codes.nem12 for v in values):
                held.append(f"{one.channel.name.lower()} {day.isoformat()}: holds a value that waits for validation")
                continue
            writer.writerows(_day_rows(day, values, made_at.astimezone(where)))
            written += sum(v is not None for v in values)
    writer.writerow(("900",))
    return ExportFile(sink.getvalue(), written, tuple(held))


def _who(name: str) -> str:
    if name and not re.fullmatch(r"[A-Za-z0-9]{1,10}", name):
        raise ExportError(f"participant {name[:20]!r} is not one to ten letters or digits")
    return name


def _suffix(channel: Channel) -> str:
    if channel not in _SUFFIXES:
        raise ExportError(f"NEM12 has no register for {channel.name.lower()}")
    return _SUFFIXES[channel]


def _register_row(series: IntervalSeries, nmi: str, configuration: str) -> tuple[str, ...]:
    minutes, rest = divmod(series.interval_s, 60)
    if rest or minutes not in MINUTES:
        raise ExportError(f"NEM12 has intervals of {MINUTES} minutes; these have {series.interval_s} s")
    suffix = _suffix(series.channel)
    unit = "kWh" if series.channel in {Channel.DELIVERED, Channel.RECEIVED} else "kVArh"
    return ("200", nmi, configuration, suffix, suffix, "", "", unit, str(minutes), "")


def _days(series: IntervalSeries, offset: timedelta) -> list[tuple[date, list[CodedValue | None]]]:
    """Return each day of the offset that holds an interval, with all its slots; None where there is none."""
    shift, per_day = int(offset.total_seconds()), 86_400 // series.interval_s
    days: dict[int, list[CodedValue | None]] = {}
    for value in coded_values(series):
        day, second = divmod(epoch_s(value.start) + shift, 86_400)
        slot, rest = divmod(second, series.interval_s)
        if rest:
            raise ExportError(f"an interval of {value.start.isoformat()} does not lie on the file's grid")
        days.setdefault(day, [None] * per_day)[slot] = None if value.state is QualityState.MISSING else value
    return [((EPOCH + timedelta(days=d)).date(), v) for d, v in sorted(days.items())]


def _day_rows(day: date, values: list[CodedValue | None], made_at: datetime) -> list[tuple[str, ...]]:
    flags = [_flag(v) for v in values]
    first = flags[0] if len(set(flags)) == 1 else ("V", "")
    numbers = [_kilo(v.value) if v is not None else "0" for v in values]
    reason = ("0", first[1]) if first[1] else ("", "")
    rows: list[tuple[str, ...]] = [
        ("300", day.strftime("%Y%m%d"), *numbers, first[0], *reason, made_at.strftime("%Y%m%d%H%M%S"), "")
    ]
    if first[0] != "V":
        return rows
    at = 1
    for flag, same in itertools.groupby(flags):
        count = len(list(same))
        rows.append(("400", str(at), str(at + count - 1), flag[0], "0" if flag[1] else "", flag[1]))
        at += count
    return rows


def _flag(value: CodedValue | None) -> tuple[str, str]:
    return ("N", "") if value is None else (value.codes.nem12, value.codes.reason)


def _kilo(value: int) -> str:
    return f"{Decimal(value) / 1000:f}"
