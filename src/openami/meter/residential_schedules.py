"""What runs by itself in our meter, shown as scripts, schedules and a monitor; nobody changes it from afar."""

from __future__ import annotations

from openami.kernel.obis import Obis
from openami.meter.events import LAST_GASP_ALARM
from openami.meter.objects.basic import register_monitor, script_table, single_action_schedule
from openami.meter.objects.model import CosemObject
from openami.meter.objects.switch import SWITCH_INSTANCE, SWITCH_SCRIPTS
from openami.meter.pushes import LAST_GASP_SETUP
from openami.meter.state import DeviceState
from openami.protocol.axdr import u32
from openami.protocol.cosem.reference import AttributeRef, MethodRef

PUSH_SCRIPTS = "0.0.10.0.108.255"
_ANY_DAY = bytes.fromhex("ffffffffff")
_FIRST_OF_MONTH = bytes.fromhex("ffffff01ff")
_MIDNIGHT = bytes.fromhex("00000000")
_QUARTERS = tuple(bytes((0xFF, minute, 0, 0)) for minute in (0, 15, 30, 45))


def schedule_objects(state: DeviceState) -> list[CosemObject]:
    """Return the script tables, the schedules of pushes and billing, and the monitor behind the last gasp."""
    switch = Obis.from_text(SWITCH_INSTANCE)
    names = [setup.instance for setup in state.setups]
    gasp_script = names.index(LAST_GASP_SETUP) + 1
    return [
        script_table(SWITCH_SCRIPTS, [MethodRef(70, switch, 1), MethodRef(70, switch, 2)]),
        script_table(PUSH_SCRIPTS, [MethodRef(40, name, 1) for name in names]),
        script_table("0.0.10.0.1.255", [MethodRef(7, Obis.from_text("0.0.98.1.0.255"), 2)]),
        single_action_schedule("0.1.15.0.4.255", (PUSH_SCRIPTS, 1), [(q, _ANY_DAY) for q in _QUARTERS]),
        single_action_schedule("0.2.15.0.4.255", (PUSH_SCRIPTS, 2), [(_MIDNIGHT, _ANY_DAY)]),
        single_action_schedule("0.0.15.0.0.255", ("0.0.10.0.1.255", 1), [(_MIDNIGHT, _FIRST_OF_MONTH)]),
        register_monitor(
            "0.0.16.1.2.255",
            AttributeRef(1, Obis.from_text(f"0.0.97.98.{20 + LAST_GASP_ALARM.register}.255"), 2),
            lambda: [u32(1 << LAST_GASP_ALARM.bit)],
            [(PUSH_SCRIPTS, gasp_script)],
        ),
    ]
