"""Faults of the register and of who reads it: the intervals are right, the register is the wrong one."""

from __future__ import annotations

import numpy as np

from openami.contracts.channel import Channel
from openami.sim.faults.metering.draft import Draft
from openami.sim.faults.metering.scene import CAPACITY_WH

KWH = 1_000


def stuck_register(draft: Draft) -> None:
    """The register stands still at some midnights and then jumps to what it should have shown."""
    value = draft.scene.registers[Channel.DELIVERED].value[draft.row]
    value[draft.day + 1 : draft.day + 1 + int(draft.severity)] = value[draft.day]


def wrong_register(draft: Draft) -> None:
    """Another register is read, such as that of one price period: it advances by a part of the energy."""
    registers = draft.scene.registers[Channel.DELIVERED]
    value, step = registers.value[draft.row], int(registers.resolution_wh[draft.row])
    moved = draft.clean.readings[Channel.DELIVERED].values[draft.row].cumsum()
    at = draft.scene.grid.day_at[draft.day + 1 :]
    begun = int(moved[draft.scene.grid.day_at[draft.day] - 1]) if draft.day else 0
    part = ((moved[at - 1] - begun) * draft.severity).astype(np.int64)
    value[draft.day + 1 :] = (int(value[draft.day]) + part) // step * step % CAPACITY_WH


def miskeyed_read(draft: Draft) -> None:
    """One digit of one read is wrong."""
    registers = draft.scene.registers[Channel.DELIVERED]
    place = int(draft.severity) * KWH
    read = draft.day + 1
    value = int(registers.value[draft.row, read])
    digit = value // place % 10
    wrong = int(draft.dice.choice([d for d in range(10) if d != digit]))
    registers.value[draft.row, read] = (value + (wrong - digit) * place) % CAPACITY_WH


def rollover(draft: Draft) -> None:
    """The register passes its capacity on the day, as it should."""
    registers = draft.scene.registers[Channel.DELIVERED]
    used = int(draft.truth()[draft.on_day].sum())
    registers.exact_wh[draft.row] += CAPACITY_WH - used // 2 - int(registers.exact_wh[draft.row, draft.day])
    registers.show(draft.row)


def rollover_digits(draft: Draft) -> None:
    """The register rolls over, and the registry has another number of digits."""
    rollover(draft)
    draft.scene.registers[Channel.DELIVERED].capacity_wh[draft.row] *= int(draft.severity)
