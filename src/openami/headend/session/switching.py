"""Switching one meter, in a session: look, check what lies behind the switch, act, and read back what came of it.

Source: IEC 62056-6-2, 4.5.8 (disconnect control, class 70), 4.5.9 (limiter, class 71).
"""

from __future__ import annotations

from collections.abc import Callable

from openami.headend.command.switch_step import CLOSE, OPEN, SWITCH, THRESHOLD, ZERO
from openami.headend.profiles.model import Scale
from openami.headend.switching.life import Happened, ItemCode, Report
from openami.headend.switching.order import SwitchAction
from openami.kernel.obis import Obis
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import u32
from openami.protocol.cosem.reference import AttributeRef
from openami.protocol.errors import PeerError

OUTPUT, STATE = AttributeRef(70, SWITCH, 2), AttributeRef(70, SWITCH, 3)
LOAD_VOLTAGE_NAME = Obis.from_text("1.128.12.7.0.255")
"""Behind the switch, in our own meter; a profile that gives it a worth has one."""
LOAD_VOLTAGE = AttributeRef(3, LOAD_VOLTAGE_NAME, 2)
MOST_LOAD_V = 20.0
"""Of an open switch. More than what leaks: a generator, a neighbor's cord, or a switch that did not open."""
READY_FOR_RECONNECTION = 2


def switch_supply(
    client: ClientAssociation,
    action: SwitchAction,
    *,
    load_voltage: Scale | None,
    was_sent: bool,
    note: Callable[[], None] = lambda: None,
) -> Steps[Happened]:
    """Open or close the disconnect switch of a meter and return what the meter says of it afterwards.

    Args:
        client: an open association with the management rights.
        action: DISCONNECT or RECONNECT.
        load_voltage: worth of one count of the voltage behind the switch; None for a meter that does not tell it.
        was_sent: whether an earlier session of this order has sent the command.
        note: is told when the command is about to go, and again when the meter has answered it.

    Raises:
        PeerError: an answer that is none.
        AccessRefusedError: the meter does not let itself be asked.
    """
    wants_on = action is SwitchAction.RECONNECT
    if (yield from _is_so(client, wants_on=wants_on)):
        return Happened(Report.ENDED, ItemCode.SWITCHED if was_sent else ItemCode.ALREADY)
    if wants_on and load_voltage is not None:
        volts = yield from _volts(client, load_voltage)
        if volts > MOST_LOAD_V:
            return Happened(Report.ENDED, ItemCode.LOAD_VOLTAGE, f"{volts:.0f} V")
    note()
    try:
        yield from client.call(CLOSE if wants_on else OPEN, ZERO)
    except ActionRefusedError as error:
        return Happened(Report.ENDED, ItemCode.METER_REFUSED, error.result.name.lower(), was_sent=True)
    note()
    if (yield from _is_so(client, wants_on=wants_on)):
        words = "" if not wants_on or load_voltage is not None else "it does not tell the voltage behind its switch"
        return Happened(Report.ENDED, ItemCode.SWITCHED, words, was_sent=True)
    if wants_on and (yield from client.read(STATE)).integer == READY_FOR_RECONNECTION:
        return Happened(Report.ENDED, ItemCode.SWITCHED, "the customer closes it by its button", was_sent=True)
    return Happened(Report.ENDED, ItemCode.UNCONFIRMED, "it took the command and has not switched", was_sent=True)


def limit_load(
    client: ClientAssociation, limit_w: int, *, was_sent: bool, note: Callable[[], None] = lambda: None
) -> Steps[Happened]:
    """Set the limit on the load of a meter and return what the meter says of it afterwards.

    Raises:
        PeerError, AccessRefusedError: as :func:`switch_supply`.
    """
    if (yield from client.read(THRESHOLD)).integer == limit_w:
        return Happened(Report.ENDED, ItemCode.SWITCHED if was_sent else ItemCode.ALREADY)
    note()
    try:
        yield from client.write(THRESHOLD, u32(limit_w))
    except AccessRefusedError as error:
        return Happened(Report.ENDED, ItemCode.METER_REFUSED, error.result.name.lower(), was_sent=True)
    note()
    if (yield from client.read(THRESHOLD)).integer == limit_w:
        return Happened(Report.ENDED, ItemCode.SWITCHED, was_sent=True)
    return Happened(Report.ENDED, ItemCode.UNCONFIRMED, "it took the limit and shows another", was_sent=True)


def _is_so(client: ClientAssociation, *, wants_on: bool) -> Steps[bool]:
    output = (yield from client.read(OUTPUT)).value
    if not isinstance(output, bool):
        raise PeerError("bad_content", "an output state that is no boolean", 0)
    return output is wants_on


def _volts(client: ClientAssociation, scale: Scale) -> Steps[float]:
    raw = (yield from client.read(LOAD_VOLTAGE)).integer
    if raw is None:
        raise PeerError("bad_content", "a voltage that is no number", 0)
    return float(raw) * 10.0**scale.scaler
