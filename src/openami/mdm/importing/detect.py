"""Which format a file is in, from its first octets; and the one entry that reads any of them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.file import MAX_OCTETS, ImportedFile
from openami.mdm.importing.greenbutton import parse_greenbutton
from openami.mdm.importing.nem12 import parse_nem12
from openami.mdm.importing.table import parse_csv, parse_parquet
from openami.mdm.importing.utility_csv import is_utility_csv, parse_utility_csv

FORMATS = ("auto", "greenbutton", "csv", "nem12", "parquet")


def parse_file(octets: bytes, *, format_name: str = "auto", zone: ZoneInfo | None, unit: str = "Wh") -> ImportedFile:
    """Read a file of interval readings.

    Args:
        octets: the whole file.
        format_name: one of :data:`FORMATS`.
        zone: of stamps without an offset; None refuses such stamps.
        unit: of our own table's values.

    Raises:
        FileRefusedError: unknown format, too large, or a line that cannot be read.
    """
    if len(octets) > MAX_OCTETS:
        raise FileRefusedError(0, f"{len(octets)} octets, the limit is {MAX_OCTETS}: cut the file by year")
    kind = detected(octets) if format_name == "auto" else format_name
    if kind == "greenbutton":
        found = parse_utility_csv(octets, zone=zone) if is_utility_csv(octets) else parse_greenbutton(octets)
    elif kind == "csv":
        found = (
            parse_utility_csv(octets, zone=zone) if is_utility_csv(octets) else parse_csv(octets, zone=zone, unit=unit)
        )
    elif kind == "nem12":
        found = parse_nem12(octets, zone=zone)
    elif kind == "parquet":
        found = parse_parquet(octets, zone=zone, unit=unit)
    else:
        raise FileRefusedError(0, f"format {kind[:20]!r}: one of {', '.join(FORMATS)}")
    return found


def detected(octets: bytes) -> str:
    """Return the format that the first octets show.

    >>> detected(b"PAR1...."), detected(b"100,NEM12,200405011135,MDA1,Ret1"), detected(b"start,value")
    ('parquet', 'nem12', 'csv')
    """
    head = octets[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"<"):
        return "greenbutton"
    if head.startswith((b"100,NEM12", b"200,")):
        return "nem12"
    return "csv"
