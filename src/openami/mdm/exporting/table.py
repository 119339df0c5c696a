"""Our own interval table as CSV, which ``openami import``, ``bill`` and ``compare`` read, with the codes of others."""

from __future__ import annotations

import csv
import io
from datetime import UTC

from openami.contracts.quality import QualityState
from openami.mdm.exporting.coded import coded_values
from openami.mdm.usage.series import IntervalSeries

COLUMNS = ("start", "value", "channel", "quality", "method", "preliminary", "iec", "espi", "nem12", "low", "high")


def as_csv(series: IntervalSeries) -> str:
    """Return intervals as a table; missing ones are left out, they have no value.

    ``iec`` holds one code or several with a space between; ``nem12`` is empty where NEM12 has no flag (raw, waiting).
    """
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(COLUMNS)
    channel = series.channel.name.lower()
    for one in coded_values(series):
        if one.state is QualityState.MISSING:
            continue
        stamp = one.start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        words = (one.state.name.lower(), one.method.name.lower(), int(one.is_raw))
        codes = (" ".join(one.codes.iec), one.codes.espi, one.codes.nem12)
        writer.writerow((stamp, one.value, channel, *words, *codes, one.low, one.high))
    return sink.getvalue()
