"""What mates told stays where a run has no mates: a place that runs again alone cannot take back what they say. Pure.

Only of a day whose version stays as it is. Where its values change, as by a decision about the clock, the finding was
about others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.day import day_number
from openami.mdm.validation.load import Inputs
from openami.mdm.validation.places import LEAST_MATES
from openami.mdm.validation.ports import DayFinding
from openami.mdm.validation.table import Stamp, Versions
from openami.mdm.vee.grid import BOOLS, Grid
from openami.mdm.vee.rules.rule import group_of
from openami.mdm.vee.ruleset import RuleSeverity

RULE = "clock_shift"


def mateless(inputs: Inputs, channel: Channel) -> BOOLS:
    """Return the series (S,) that have too few mates in this run to be judged by them; none on other channels."""
    neighborhood = inputs.places.neighborhood
    if channel is not Channel.VOLTAGE or neighborhood is None:
        return np.zeros(len(inputs.points), bool)
    _, group, count = np.unique(neighborhood, return_inverse=True, return_counts=True)
    return np.asarray((count[group] < LEAST_MATES) | (neighborhood < 0))


def still_said(
    grid: Grid, inputs: Inputs, alone: BOOLS, known: Sequence[DayFinding], same: Versions, stamp: Stamp
) -> list[DayFinding]:
    """Return what mates said of unchanged days of series without mates, unless a person answered it or it is off.

    Args:
        grid: the columns.
        inputs: of the run.
        alone: (S,) series without mates.
        known: open findings.
        same: versions that stay as they are.
        stamp: of the run.
    """
    row_of = {point: row for row, point in enumerate(inputs.points)}
    found = []
    for f in known:
        row = row_of.get(f.service_point_id)
        is_same = same.get((f.service_point_id.bytes, day_number(f.local_day))) == f.version
        if f.rule != RULE or f.channel is not stamp.channel or row is None or not (alone[row] and is_same):
            continue
        lo, hi = (int(c) for c in np.searchsorted(grid.edge_s, [f.period.start_s, f.period.end_s]))
        is_answered = inputs.decided is not None and inputs.decided.settles(row, lo, hi, RULE)
        severity = stamp.book.on(group_of(f.channel), f.local_day)[RULE].severity
        if not is_answered and severity in {RuleSeverity.WARN, RuleSeverity.FAIL}:
            found.append(replace(f, run_id=stamp.run_id, known_at=stamp.known_at))
    return found
