"""The small interface classes: data, register, extended register, script table, SAP assignment, schedules, monitors.

Source: IEC 62056-6-2, 4.3.1 (data), 4.3.2 (register), 4.3.3 (extended register), 4.4.9 (SAP assignment), 4.5.2
(script table), 4.5.7 (single action schedule), 4.5.6 (register monitor).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from openami.meter.objects.model import READERS, Attribute, Clients, CosemObject, Read, Writing, cosem_object
from openami.meter.objects.values import enum, i8, name_of, scaler_unit
from openami.protocol.axdr import Data, array, octet_string, structure, u16
from openami.protocol.cosem.reference import AttributeRef, MethodRef


def data_object(
    instance: str, read: Read, *, readers: Clients = READERS, writing: Writing | None = None
) -> CosemObject:
    """Return a data object (class 1)."""
    return cosem_object(1, 0, instance, [Attribute(2, read, readers, writing)])


def register(instance: str, read: Read, scaler: int, unit: int, *, writing: Writing | None = None) -> CosemObject:
    """Return a register (class 3); one count is ``10**scaler`` of the unit."""
    return cosem_object(3, 0, instance, _register_attributes(read, scaler, unit, writing))


def extended_register(instance: str, read: Read, scaler: int, unit: int, *, at: Read) -> CosemObject:
    """Return an extended register (class 4): a register and the time of its value."""
    attributes = _register_attributes(read, scaler, unit, None)
    return cosem_object(
        4, 0, instance, [*attributes, Attribute(4, lambda: enum(0), READERS), Attribute(5, at, READERS)]
    )


def _register_attributes(read: Read, scaler: int, unit: int, writing: Writing | None) -> list[Attribute]:
    worth = scaler_unit(scaler, unit)
    return [Attribute(2, read, READERS, writing), Attribute(3, lambda: worth, READERS)]


def sap_assignment(named: Callable[[], bytes], *, readers: Clients) -> CosemObject:
    """Return the one logical device with its name (class 17)."""
    return cosem_object(
        17, 0, "0.0.41.0.0.255",
        [Attribute(2, lambda: array(structure(u16(1), octet_string(named()))), readers)],
    )  # fmt: skip


def script_table(instance: str, scripts: Sequence[MethodRef]) -> CosemObject:
    """Return a script table (class 9); script n calls the n-th method with integer 0. Clients read it, none runs it."""
    listed = array(
        *(
            structure(
                u16(number),
                array(structure(enum(2), u16(m.class_id), name_of(m.instance), i8(m.method), i8(0))),
            )
            for number, m in enumerate(scripts, start=1)
        )
    )
    return cosem_object(9, 0, instance, [Attribute(2, lambda: listed, READERS)])


def single_action_schedule(instance: str, script: tuple[str, int], times: Sequence[tuple[bytes, bytes]]) -> CosemObject:
    """Return a schedule (class 22).

    Args:
        instance: logical name.
        script: logical name of a script table, and which script.
        times: (time, date) octets of each execution, with wildcards.
    """
    table, number = script
    execution = structure(octet_string(bytes(int(g) for g in table.split("."))), u16(number))
    # Type 1 has one time; type 2 several, with the same wildcard date.
    kind = 1 if len(times) == 1 else 2
    listed = array(*(structure(octet_string(time), octet_string(day)) for time, day in times))
    return cosem_object(
        22, 0, instance,
        [
            Attribute(2, lambda: execution, READERS),
            Attribute(3, lambda: enum(kind), READERS),
            Attribute(4, lambda: listed, READERS),
        ],
    )  # fmt: skip


def register_monitor(
    instance: str, monitored: AttributeRef, thresholds: Callable[[], Sequence[Data]], actions: Sequence[tuple[str, int]]
) -> CosemObject:
    """Return a register monitor (class 21): the script that runs when a value rises over a threshold; none going down.

    Args:
        instance: logical name.
        monitored: what is watched.
        thresholds: the limits.
        actions: script table and script for each.
    """
    watched = structure(u16(monitored.class_id), name_of(monitored.instance), i8(monitored.attribute))
    listed = array(
        *(
            structure(
                structure(octet_string(_octets(table)), u16(number)),
                structure(octet_string(_octets(table)), u16(0)),
            )
            for table, number in actions
        )
    )
    return cosem_object(
        21, 0, instance,
        [
            Attribute(2, lambda: array(*thresholds()), READERS),
            Attribute(3, lambda: watched, READERS),
            Attribute(4, lambda: listed, READERS),
        ],
    )  # fmt: skip


def opaque(class_id: int, version: int, instance: str, values: Sequence[Data]) -> CosemObject:
    """Return an object whose attributes, from 2 on, are shown and mean nothing here."""

    def shown(value: Data) -> Read:
        return lambda: value

    attributes = [Attribute(k, shown(v), READERS) for k, v in enumerate(values, start=2)]
    return cosem_object(class_id, version, instance, attributes)


def _octets(instance: str) -> bytes:
    return bytes(int(g) for g in instance.split("."))
