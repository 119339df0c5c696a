"""Tables in CSV and Parquet: the named columns of each row, with the line they stand in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from openami.mdm.importing.errors import FileRefusedError

Row = tuple[int, list[Any]]
"""Line, and a cell for each name asked for; an empty text where there is no such column or value."""


def table_rows(octets: bytes, names: Sequence[str], *, is_parquet: bool, max_rows: int) -> Iterator[Row]:
    """Yield the rows of a table.

    Args:
        octets: UTF-8 text with a header line, or Parquet, whose cells keep their types.
        names: columns; the first two must be there (``value_wh`` serves as ``value``), an empty name is in no table.
        is_parquet: which of both it is.
        max_rows: more are refused.

    Raises:
        FileRefusedError: not such a table, or too long; raised at the row.
    """
    return _parquet(octets, names, max_rows) if is_parquet else _csv(octets, names, max_rows)


def _places(header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return where each named column is, -1 where it is not."""
    clean = [h.strip().lower() for h in header]
    wanted = [clean.index(n) if n and n in clean else -1 for n in names]
    if wanted[1] < 0 and "value_wh" in clean:
        wanted[1] = clean.index("value_wh")
    if wanted[0] < 0 or wanted[1] < 0:
        raise FileRefusedError(1, f"the header needs {names[0]} and value")
    return wanted


def _csv(octets: bytes, names: Sequence[str], max_rows: int) -> Iterator[Row]:
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefusedError(octets[: error.start].count(b"\n") + 1, "not UTF-8 text") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        place = _places(next(reader, []), names)
        for row in reader:
            if any(cell.strip() for cell in row):
                _within(reader.line_num, max_rows)
                yield reader.line_num, [row[i].strip() if 0 <= i < len(row) else "" for i in place]
    except csv.Error as error:
        raise FileRefusedError(reader.line_num, f"not CSV: {str(error)[:80]}") from error


def _parquet(octets: bytes, names: Sequence[str], max_rows: int) -> Iterator[Row]:
    try:
        file = pq.ParquetFile(pa.BufferReader(octets))
        _within(file.metadata.num_rows, max_rows)
        place = _places(file.schema_arrow.names, names)
        line = 1
        for batch in file.iter_batches(batch_size=65_536):
            columns = [batch.column(i).to_pylist() if i >= 0 else None for i in place]
            for index in range(batch.num_rows):
                line += 1
                yield line, ["" if c is None or c[index] is None else c[index] for c in columns]
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise FileRefusedError(0, f"not Parquet: {type(error).__name__}") from error


def _within(rows: int, max_rows: int) -> None:
    if rows > max_rows:
        raise FileRefusedError(0, f"over {max_rows} rows: cut the file by year")
