"""Tables that ``openami vee`` reads: intervals with all their faults, and register reads.

Unlike an import, validation wants the faults: a negative, repeated or blank value is a finding, not a refusal. Only
what cannot be understood at all refuses the file, naming the line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from openami.app.commands.intervals import octets_of
from openami.contracts.channel import CHANNEL_BY_NAME, CHANNELS, Channel
from openami.kernel.errors import MisuseError
from openami.kernel.quantity import Unit
from openami.mdm.importing import FileRefusedError, parse_file
from openami.mdm.importing.detect import detected
from openami.mdm.importing.file import ImportedRegister
from openami.mdm.importing.localtime import LocalStamps
from openami.mdm.importing.rows import table_rows
from openami.mdm.importing.table import UNITS, energy, moment, quality_bits
from openami.mdm.importing.utility_csv import is_utility_csv
from openami.mdm.vee.ruleset import RuleBook, settings_of

MAX_ROWS = 5_000_000
SeriesKey = tuple[str, Channel]


@dataclass(slots=True)
class Rows:
    """Rows of one channel of one meter, in file order: instants [s], values [Wh; V of a voltage], raw quality bits."""

    at_s: list[int] = field(default_factory=list)
    value: list[Decimal] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)


def read_intervals(
    path: Path, *, zone: ZoneInfo | None, unit: str, mapping: bytes | None = None
) -> tuple[dict[SeriesKey, Rows], dict[SeriesKey, Rows]]:
    """Return the interval rows of a CSV or Parquet table, or of any file that can be imported, and its register reads.

    Args:
        path: the file.
        zone: of stamps without an offset.
        unit: of a table's values.
        mapping: TOML that declares the columns of another system's file.

    Raises:
        MisuseError: the file cannot be opened, or the unit is unknown.
        FileRefusedError: a line cannot be understood.
        MappingError: the mapping does not declare what is needed.
    """
    octets = octets_of(path)
    kind = detected(octets)
    if mapping is None and (kind == "parquet" or (kind == "csv" and not is_utility_csv(octets))):
        return _table(octets, kind, ("start", "value", "channel", "quality", "meter"), zone=zone, unit=unit), {}
    parsed = parse_file(octets, zone=zone, unit=unit, mapping=mapping)
    if parsed.refused:
        first = parsed.refused[0]
        raise FileRefusedError(first.line, f"{first.name}: {first.reason}")
    found: dict[SeriesKey, Rows] = {}
    for series in parsed.series:
        rows = found.setdefault((series.name, series.channel), Rows())
        rows.at_s += series.start_s.tolist()
        rows.value += [Decimal(v * series.multiplier) for v in series.value.tolist()]
        rows.quality += series.quality.tolist()
    return found, {(r.name, r.channel): _reads(r) for r in parsed.registers}


def _reads(register: ImportedRegister) -> Rows:
    """Return a file's own register reads, after the multiplier as its intervals are."""
    value = [Decimal(v * register.multiplier) for v in register.value.tolist()]
    return Rows(register.at_s.tolist(), value, [0] * len(value))


def read_rules_file(path: Path) -> RuleBook:
    """Return the shipped rules with what a TOML file changes of them: a table a rule, in it one a channel group.

    Raises:
        MisuseError: the file cannot be opened or is no TOML.
        RuleSetError: it names what is not there, or a number out of its range.
    """
    try:
        document = tomllib.loads(octets_of(path).decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MisuseError(f"{path}: no TOML: {error}") from error
    return RuleBook(settings_of(document, since=date.min))


def _channel(text: str, line: int) -> Channel:
    """Return any channel that there is; an empty name is delivered.

    Raises:
        FileRefusedError: no such channel.
    """
    found = CHANNEL_BY_NAME.get(text.lower() or "delivered")
    if found is None:
        raise FileRefusedError(line, f"channel {text[:20]!r}: one of {', '.join(CHANNEL_BY_NAME)}")
    return found


def read_registers(path: Path, *, zone: ZoneInfo | None) -> dict[SeriesKey, Rows]:
    """Return register reads of a table ``meter,channel,time,value_wh``.

    Raises:
        MisuseError: the file cannot be opened.
        FileRefusedError: a line cannot be understood.
    """
    octets = octets_of(path)
    kind = "parquet" if octets[:4] == b"PAR1" else "csv"
    return _table(octets, kind, ("time", "value", "channel", "", "meter"), zone=zone, unit="Wh")


def _table(
    octets: bytes, kind: str, names: Sequence[str], *, zone: ZoneInfo | None, unit: str
) -> dict[SeriesKey, Rows]:
    factor = UNITS.get(unit.lower())
    if factor is None:
        raise FileRefusedError(0, f"unit {unit[:20]!r}: one of Wh, kWh, MWh")
    found: dict[SeriesKey, Rows] = {}
    stamps: dict[SeriesKey, LocalStamps] = {}
    for line, (start, value, channel_name, quality, meter) in table_rows(
        octets, names, is_parquet=kind == "parquet", max_rows=MAX_ROWS
    ):
        key = (str(meter)[:80], _channel(str(channel_name), line))
        at_s = stamps.setdefault(key, LocalStamps(zone)).epoch_s(moment(start, line), line)
        rows = found.setdefault(key, Rows())
        if str(value).strip().lower() in {"", "nan", "none", "null"}:
            continue
        rows.at_s.append(at_s)
        rows.value.append(energy(str(value), line, factor if CHANNELS[key[1]].unit is Unit.WATT_HOUR else 1))
        rows.quality.append(quality_bits(str(quality), line))
    return found
