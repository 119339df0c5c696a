"""The one entry that writes a file of any format."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from openami.mdm.exporting.cim import as_cim
from openami.mdm.exporting.file import ExportError, ExportFile
from openami.mdm.exporting.greenbutton import as_greenbutton
from openami.mdm.exporting.nem12 import as_nem12
from openami.mdm.exporting.table import as_csv
from openami.mdm.usage.series import IntervalSeries

FORMATS = ("csv", "nem12", "greenbutton", "cim")


def as_file(series: Sequence[IntervalSeries], format_name: str, *, made_at: datetime, place: str) -> ExportFile:
    """Return the channels of one place as a file.

    Args:
        series: one or more channels.
        format_name: one of :data:`FORMATS`; our own table (csv) takes one channel.
        made_at: the file's time.
        place: what the receiver calls the place; NEM12 needs ten capitals or digits.

    Raises:
        ExportError: the format is unknown or cannot hold this.
    """
    if format_name == "csv":
        if len(series) != 1:
            raise ExportError(f"a table holds one channel; {len(series)} were asked for")
        text = as_csv(series[0])
        return ExportFile(text, text.count("\n") - 1)
    if format_name == "nem12":
        return as_nem12(series, nmi=place, made_at=made_at)
    if format_name == "greenbutton":
        return as_greenbutton(series, made_at=made_at)
    if format_name == "cim":
        return as_cim(series, usage_point=place)
    raise ExportError(f"format {format_name[:20]!r}: one of {', '.join(FORMATS)}")
