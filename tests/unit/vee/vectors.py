"""Test vectors as the pages of ``docs/vee`` write them: a few tokens a day, judged by the real kernel.

A series is tokens ``VALUExCOUNT`` (a lone ``VALUE`` is one interval); ``-`` is a reading that did not come;
``~LOW:HIGH:SEED`` is different values that look random. A trailing ``>>K`` stamps it all K intervals late.
Columns count from the first interval of the vector's first day.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.channel import CHANNEL_BY_NAME, CHANNELS, Channel
from openami.contracts.quality import QualityState, RawQuality
from openami.mdm.vee.brackets import Chains, Reads, brackets_of, no_chains, no_reads
from openami.mdm.vee.estimate import References
from openami.mdm.vee.grid import BOOLS, I64, Grid, grid_of
from openami.mdm.vee.history import History, remembered
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import Matrix, placed
from openami.mdm.vee.outcome import Coverage, Outcome
from openami.mdm.vee.rules.seen import Places, Surroundings

PAGES = Path(__file__).parents[3] / "docs" / "vee"
ZONE = ZoneInfo("America/Chicago")
LIMIT_W = 48_000
CAPACITY_WH = 100_000_000
_TOKEN = re.compile(r"(-|-?\d+|~\d+:\d+:\d+)(?:x(\d+))?")
_DAILY = ("total", "maximum", "base")


@dataclass(frozen=True, slots=True)
class Vector:
    """One vector of a page."""

    rule: str
    index: int
    table: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the test is called."""
        return f"{self.rule}-{self.index}-{'finds' if self.table['finds'] else 'silent'}"


def vectors() -> list[Vector]:
    """Return the vectors of all pages."""
    found = []
    for page in sorted(PAGES.glob("*.md")):
        blocks = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        tables = [v for block in blocks for v in tomllib.loads(block).get("vector", [])]
        found += [Vector(page.stem, index, table) for index, table in enumerate(tables)]
    return found


def spots(vector: Vector) -> list[tuple[int, int, int, str]]:
    """Return (row, lo, hi, severity) of what the vector's rule says."""
    found = judged(vector).statements
    return [(s.row, s.lo, s.hi, "fail" if s.is_failure else "warn") for s in found if s.rule == vector.rule]


def judged(vector: Vector) -> Outcome:
    """Run the kernel on a vector."""
    v = vector.table
    channel = CHANNEL_BY_NAME[v.get("channel", "delivered")]
    first = date.fromisoformat(v.get("day", "2026-06-10"))
    days = int(v.get("days", 1))
    grid = grid_of(ZONE, first, first + timedelta(days=days - 1), int(v.get("interval_s", 900)))
    matrix = _matrix(grid, _texts(v["values"]), v)
    shape = matrix.values.shape
    hung = np.ones(shape, bool)
    if "hung" in v:
        hung[:, : v["hung"][0]], hung[:, v["hung"][1] :] = False, False
    is_energy = CHANNELS[channel].is_energy
    chains, reads = _registers(grid, v) if "registers" in v else (no_chains(), no_reads())
    brackets, faults = brackets_of(grid, chains, reads)
    limit = np.full(shape[0], LIMIT_W * grid.interval_s // 3600 if is_energy else 10_000_000)
    history, back = _history(v, shape[0])
    around = Surroundings(
        channel=channel,
        history=history,
        profiles_back=back,
        siblings={
            CHANNEL_BY_NAME[name]: _matrix(grid, _texts(text), {}) for name, text in v.get("siblings", {}).items()
        },
        places=_places(grid, shape[0], v.get("place", {})),
        faults=faults,
    )
    suspended = np.zeros(shape, bool)
    for lo, hi in v.get("suspended", []):
        suspended[:, lo:hi] = True
    return validated(
        grid, matrix, coverage=Coverage(hung, hung), brackets=brackets, limit=limit, is_energy=is_energy, around=around,
        references=References(suspended=suspended),
    )  # fmt: skip


def _texts(said: str | Sequence[str]) -> list[str]:
    return [said] if isinstance(said, str) else list(said)


def series(text: str, count: int) -> tuple[I64, BOOLS]:
    """Return values and whether they came."""
    text, _, late = text.partition(">>")
    values: list[int] = []
    came: list[bool] = []
    for token in text.split():
        found = _TOKEN.fullmatch(token)
        assert found, f"{token!r} is no token"
        what, times = found[1], int(found[2] or 1)
        if what.startswith("~"):
            low, high, seed = (int(n) for n in what[1:].split(":"))
            values += np.random.default_rng(seed).integers(low, high, times, endpoint=True).tolist()
        else:
            values += [0 if what == "-" else int(what)] * times
        came += [what != "-"] * times
    assert len(values) == count, f"{len(values)} values for {count} intervals: {text}"
    shift = int(late or 0)
    return np.roll(np.array(values, dtype=np.int64), shift), np.roll(np.array(came), shift)


def _matrix(grid: Grid, texts: Sequence[str], v: Mapping[str, Any]) -> Matrix:
    rows, starts, values, flags = [], [], [], []
    bits = np.zeros(grid.columns, np.uint16)
    for name, spans in v.get("flags", {}).items():
        for lo, hi in spans:
            bits[lo:hi] |= int(RawQuality[name.upper()])
    for row, text in enumerate(texts):
        count, came = series(text, grid.columns)
        at = np.flatnonzero(came)
        rows += [row] * len(at)
        starts += grid.start_s[at].tolist()
        values += count[at].tolist()
        flags += bits[at].tolist()
    for column, value in v.get("again", []):
        rows, starts = [*rows, 0], [*starts, int(grid.start_s[column])]
        values, flags = [*values, value], [*flags, 0]
    if "again_day" in v:
        day, value = v["again_day"]
        again = grid.start_s[int(grid.day_at[day]) : int(grid.day_at[day + 1])].tolist()
        rows, starts = rows + [0] * len(again), starts + again
        values, flags = values + [value] * len(again), flags + [0] * len(again)
    for column in v.get("astray", []):
        rows, starts = [*rows, 0], [*starts, int(grid.start_s[column]) + 420]
        values, flags = [*values, 100], [*flags, 0]
    return placed(
        grid, len(texts), row=np.array(rows, dtype=np.int64), start_s=np.array(starts, dtype=np.int64),
        value=np.array(values, dtype=np.int64), quality=np.array(flags, dtype=np.uint16),
    )  # fmt: skip


def _registers(grid: Grid, v: Mapping[str, Any]) -> tuple[Chains, Reads]:
    """Reads at the midnights; ``-`` is one that did not come."""
    at_s = grid.edge_s[grid.day_at]
    reads = [(int(s), int(text)) for s, text in zip(at_s, v["registers"].split(), strict=True) if text != "-"]
    one = np.ones(1, np.int64)
    chains = Chains(
        one * 0, one * int(at_s[0]), one * int(at_s[-1]), one * CAPACITY_WH, one * int(v.get("resolution_wh", 1)),
        one, one * LIMIT_W,
    )  # fmt: skip
    zeros = np.zeros(len(reads), np.int64)
    return chains, Reads(
        zeros, np.array([s for s, _ in reads]), np.array([r for _, r in reads]), zeros.astype(bool)
    )  # fmt: skip


def _history(v: Mapping[str, Any], rows: int) -> tuple[History | None, dict[int, I64]]:
    past = v.get("past")
    if past is None:
        return None, {}
    texts = {name: _texts(past.get(name, "0x28")) for name in _DAILY}
    daily = {name: np.stack([series(t, 28)[0] for t in (x * rows if len(x) == 1 else x)]) for name, x in texts.items()}
    state = np.zeros((rows, 28), np.uint8)
    for name, spans in past.get("states", {}).items():
        for lo, hi in spans:
            state[:, lo:hi] = QualityState[name.upper()]
    digest = np.zeros((rows, 28), np.uint64)
    if "same_day" in past:
        digest[:, -int(past["same_day"])] = _digest(v)
    hours = np.tile(series(past.get("profile", "0x24"), 24)[0], (rows, 1))
    back = {-int(d): np.tile(series(text, 24)[0], (rows, 1)) for d, text in past.get("profiles", {}).items()}
    return History(**daily, digest=digest, state=state, profile=hours), back


def _digest(v: Mapping[str, Any]) -> np.uint64:
    """Return the digest that a day with the vector's own values has."""
    first = date.fromisoformat(v.get("day", "2026-06-10"))
    grid = grid_of(ZONE, first, first, 900)
    values = series(_texts(v["values"])[0], grid.columns)[0][None, :]
    return np.uint64(remembered(grid, values, np.zeros(values.shape, np.uint8)).digest[0, 0])


def _places(grid: Grid, rows: int, said: Mapping[str, Any]) -> Places:
    def every(name: str) -> BOOLS | None:
        return np.full((rows, grid.days), said[name]) if name in said else None

    def each(name: str) -> I64 | None:
        return np.array([said[name]] * rows if isinstance(said[name], int) else said[name]) if name in said else None

    strangers = each("strangers")
    return Places(
        is_inactive=every("is_inactive"),
        is_disconnected=every("is_disconnected"),
        may_feed_in=every("may_feed_in"),
        strangers=None if strangers is None else np.repeat(strangers[:, None], grid.days, axis=1),
        neighborhood=each("neighborhood"),
        nominal_dv=each("nominal_dv"),
    )


__all__ = ["PAGES", "Channel", "Vector", "judged", "spots", "vectors"]
