"""Which format a file is in, from its first octets; and the one entry that reads any of them."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from openami.mdm.importing.cmep import CmepRules, parse_cmep
from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.file import MAX_OCTETS, ImportedFile
from openami.mdm.importing.greenbutton import parse_greenbutton
from openami.mdm.importing.mapped_csv import parse_mapped_csv
from openami.mdm.importing.mapping import parse_mapping, quality_words
from openami.mdm.importing.nem12 import parse_nem12
from openami.mdm.importing.table import parse_csv, parse_parquet
from openami.mdm.importing.utility_csv import is_utility_csv, parse_utility_csv

FORMATS = ("auto", "greenbutton", "csv", "nem12", "parquet", "cmep", "mapped")


def parse_file(
    octets: bytes,
    *,
    format_name: str = "auto",
    zone: ZoneInfo | None,
    unit: str = "Wh",
    mapping: bytes | None = None,
) -> ImportedFile:
    """Read a file of interval readings.

    Args:
        octets: the whole file.
        format_name: one of :data:`FORMATS`.
        zone: of stamps without an offset; None refuses such stamps.
        unit: of our own table's values.
        mapping: TOML that declares what a CSV file's columns mean, or what a CMEP file does not say.

    Raises:
        FileRefusedError: unknown format, too large, or a line that cannot be read.
        MappingError: the mapping does not declare what is needed.
    """
    if len(octets) > MAX_OCTETS:
        raise FileRefusedError(0, f"{len(octets)} octets, the limit is {MAX_OCTETS}: cut the file by year")
    kind = detected(octets) if format_name == "auto" else format_name
    if mapping is not None and format_name == "auto" and kind == "csv":
        kind = "mapped"
    if mapping is not None and kind not in {"mapped", "cmep"}:
        raise FileRefusedError(0, f"a mapping declares CSV or CMEP files; this is {kind[:20]}")
    return _read(kind, octets, zone, unit, mapping)


def _read(kind: str, octets: bytes, zone: ZoneInfo | None, unit: str, mapping: bytes | None) -> ImportedFile:
    if kind in {"greenbutton", "csv"} and is_utility_csv(octets):
        return parse_utility_csv(octets, zone=zone)
    readers: dict[str, Callable[[], ImportedFile]] = {
        "greenbutton": lambda: parse_greenbutton(octets),
        "csv": lambda: parse_csv(octets, zone=zone, unit=unit),
        "nem12": lambda: parse_nem12(octets, zone=zone),
        "parquet": lambda: parse_parquet(octets, zone=zone, unit=unit),
        "cmep": lambda: parse_cmep(octets, None if mapping is None else CmepRules(*quality_words(mapping))),
        "mapped": lambda: _mapped(octets, mapping),
    }
    if kind not in readers:
        raise FileRefusedError(0, f"format {kind[:20]!r}: one of {', '.join(FORMATS)}")
    return readers[kind]()


def _mapped(octets: bytes, mapping: bytes | None) -> ImportedFile:
    if mapping is None:
        raise FileRefusedError(0, "a CSV file of another system needs a mapping that declares its columns")
    return parse_mapped_csv(octets, parse_mapping(mapping))


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
    if head.startswith(b"MEP"):
        return "cmep"
    return "csv"
