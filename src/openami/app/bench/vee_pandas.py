"""A straightforward validation of a day with pandas: the reference of ``openami bench vee``, with no code of ours.

What most people would write: one table of readings, groupby per series, a column per check, interpolation per series.
It does less than ours: fourteen checks, linear filling scaled to the register, no like days, no findings with evidence.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np


def validated(readings: Any, registers: Any, history: Any, *, limit: int) -> Any:
    """Return the readings with a state and a filled value, and which checks failed by series.

    Args:
        readings: data frame with series, slot, value (missing slots absent), flag.
        registers: data frame by series with first and last.
        history: data frame by series with mean total, highest maximum and lowest base of four weeks.
        limit: the most an interval can hold.
    """
    pd: Any = importlib.import_module("pandas")
    series = readings["series"].unique()
    index = pd.MultiIndex.from_product([series, range(96)], names=["series", "slot"])
    table = readings.drop_duplicates(["series", "slot"]).set_index(["series", "slot"]).reindex(index).reset_index()
    table["is_missing"] = table["value"].isna()
    table["is_negative"] = table["value"] < 0
    table["is_beyond"] = table["value"] > limit
    table["is_flagged"] = table["flag"].fillna(0) != 0
    refused = table["is_negative"] | table["is_beyond"] | table["is_flagged"]
    table["good"] = table["value"].where(~refused)
    grouped = table.groupby("series", sort=False)
    table["step"] = grouped["good"].diff()
    table["filled"] = grouped["good"].transform(lambda s: s.interpolate(limit_direction="both"))
    facts = grouped.agg(
        total=("filled", "sum"), maximum=("good", "max"), missing=("is_missing", "sum"), known=("good", "sum"),
        distinct=("good", "nunique"), negative=("is_negative", "any"), beyond=("is_beyond", "any"),
        flagged=("is_flagged", "any"), step=("step", "max"),
    )  # fmt: skip
    facts["third"] = grouped["good"].apply(lambda s: s.nlargest(3).min())
    facts = facts.join(registers).join(history)
    facts["advance"] = facts["last"] - facts["first"]
    facts["sum_check"] = (facts["missing"] == 0) & ((facts["total"] - facts["advance"]).abs() > 2)
    facts["spike"] = (facts["maximum"] - facts["third"]) > 1.8 * facts["third"]
    facts["high"] = facts["total"] > 3 * facts["mean_total"]
    facts["low"] = facts["total"] < 0.2 * facts["mean_total"]
    facts["zero"] = facts["total"] == 0
    facts["stuck"] = facts["distinct"] == 1
    facts["repeats"] = facts["total"] == facts["last_total"]
    table = table.join(facts[["advance", "known"]], on="series")
    estimate = table["filled"].where(table["good"].isna(), 0.0)
    sums = estimate.groupby(table["series"]).transform("sum")
    left = (table["advance"] - table["known"]).clip(lower=0)
    scaled = np.where(sums > 0, estimate * left / sums, 0.0)
    table["filled"] = table["good"].where(~table["good"].isna(), scaled)
    return table, facts
