"""Alarm registers, filters and descriptors, and the error register. All a client may write is a filter, or zero."""

from __future__ import annotations

from collections.abc import Callable

from openami.meter.alarms import ALL, REGISTERS
from openami.meter.events import EventCode
from openami.meter.objects.basic import data_object
from openami.meter.objects.model import CosemObject, Writing
from openami.meter.objects.shapes import Number, integer_of
from openami.meter.ports import MeterBody
from openami.meter.state import CLOCK_ERROR, DeviceState
from openami.protocol.axdr import Data, Tag, u32

_CLEAR = Number(Tag.DOUBLE_LONG_UNSIGNED, 0, 0)
_BITS = Number(Tag.DOUBLE_LONG_UNSIGNED, 0, ALL)


def alarm_objects(body: MeterBody, state: DeviceState) -> list[CosemObject]:
    """Return the alarm objects and the error register."""

    def clear_errors(_data: Data) -> None:
        # What is still wrong comes back at once.
        state.errors = 0 if body.is_clock_valid() else CLOCK_ERROR
        body.note(EventCode.ERROR_REGISTER_CLEARED)

    objects = [data_object("0.0.97.97.0.255", lambda: u32(state.errors), writing=Writing(_CLEAR, clear_errors))]
    for number in range(REGISTERS):
        objects += _register(body, state, number)
    return objects


def _register(body: MeterBody, state: DeviceState, number: int) -> list[CosemObject]:
    alarms = state.alarms

    def shown(words: list[int]) -> Callable[[], Data]:
        return lambda: u32(words[number])

    def clear(words: list[int]) -> Callable[[Data], None]:
        def store(_data: Data) -> None:
            words[number] = 0
            body.note(EventCode.ALARM_REGISTER_CLEARED)

        return store

    def set_filter(data: Data) -> None:
        alarms.filters[number] = integer_of(data)

    return [
        data_object(
            f"0.0.97.98.{number}.255",
            shown(alarms.registers),
            writing=Writing(_CLEAR, clear(alarms.registers)),
        ),
        data_object(f"0.0.97.98.{10 + number}.255", shown(alarms.filters), writing=Writing(_BITS, set_filter)),
        data_object(
            f"0.0.97.98.{20 + number}.255",
            shown(alarms.descriptors),
            writing=Writing(_CLEAR, clear(alarms.descriptors)),
        ),
    ]
