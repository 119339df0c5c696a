"""A change of one meter's keys in sessions: prove what may be there, send what is not, prove it.

Every call to the outside may be the last one of this process, and every message the last one of its association: the
next try begins at the top and finds out from the meter what it has. Only the meter's own words under new keys put them
into use.

Source: IEC 62056-6-2, 4.4.7 (security setup, class 64, key_transfer).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from openami.contracts.command import Refusal
from openami.headend.keeping.rekey import RekeyReport, Tried
from openami.headend.ports import KeyProcess, SealingRefusedError
from openami.headend.session.session import SessionFailedError, Sessions
from openami.kernel.ids import SystemTitle
from openami.kernel.obis import Obis
from openami.protocol import axdr
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.ports import ActionRefusedError
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data
from openami.protocol.cosem.reference import ActionResult, AttributeRef, MethodRef

KEY_TRANSFER = MethodRef(64, Obis.from_text("0.0.43.0.0.255"), 2)
CLOCK = AttributeRef(8, Obis.from_text("0.0.1.0.0.255"), 2)
"""What is read to prove keys: every meter has one, and it takes one short message."""
_LATER = frozenset({ActionResult.TEMPORARY_FAILURE, ActionResult.HARDWARE_FAULT})


@dataclass(frozen=True, slots=True)
class KeyWay:
    """How keys are changed.

    Args:
        sessions: speaks to meters.
        keys: the command process.
        refresh: loads new keys into this process, so that what a meter says under them is understood.
    """

    sessions: Sessions
    keys: KeyProcess
    refresh: Callable[[], Awaitable[None]]


async def change_keys(
    way: KeyWay,
    title: SystemTitle,
    *,
    port: int,
    note_sent: Callable[[int], Awaitable[None]],
    may_send: bool = True,
) -> Tried:
    """Give a meter new keys, or find out that it has them.

    Args:
        way: how.
        title: the meter.
        port: address of the management client.
        note_sent: keeps that the transfer of a generation goes; it goes when this has returned.
        may_send: whether an order lets keys go; without one it is only found out what has become of those that went.

    Raises:
        SealingRefusedError: the command process will not, for another reason than the meter's.
        DownlinkUnavailableError, SealingUnavailableError, StateUnavailableError: an engine is away; nothing is lost.
    """
    try:
        generation, is_fresh = await way.keys.begin_keys(title)
    except SealingRefusedError as error:
        if error.refusal is Refusal.UNKNOWN_TITLE:
            return Tried(RekeyReport.REFUSED, str(error))
        raise
    await way.refresh()
    if not is_fresh and await _prove(way, title, port, generation) is None:
        return Tried(RekeyReport.CHANGED, "the meter had taken its new keys", generation)
    if not may_send:
        return Tried(RekeyReport.NO_ANSWER, "the meter did not speak under its new keys; no order lets them go again")
    return await _give(way, title, port, generation, note_sent)


async def _give(
    way: KeyWay, title: SystemTitle, port: int, generation: int, note_sent: Callable[[int], Awaitable[None]]
) -> Tried:
    """Send new keys, and have the meter prove them."""
    parameter = axdr.decode(await way.keys.keys_parameter(title, generation))
    await note_sent(generation)
    try:
        result = await way.sessions.run_with_keys(title, lambda client: _transfer(client, parameter), port=port)
    except SessionFailedError as error:
        return Tried(RekeyReport.UNCERTAIN, f"new keys were sent and not acknowledged: {error}", generation)
    if result is not ActionResult.SUCCESS:
        return _not_taken(result, generation)
    silence = await _prove(way, title, port, generation)
    if silence is None:
        return Tried(RekeyReport.CHANGED, "the meter has new keys and has spoken under them", generation)
    return Tried(RekeyReport.UNCERTAIN, f"new keys were acknowledged and not yet proved: {silence}", generation)


async def _prove(way: KeyWay, title: SystemTitle, port: int, generation: int) -> str | None:
    """Have a meter speak under new keys, and put them into use; return why that was not to be had, None if it was."""
    sealed: list[bytes] = []
    try:
        await way.sessions.run_with_keys(
            title, lambda client: client.read(CLOCK), port=port, generation=generation, note_sealed=sealed.append
        )
    except SessionFailedError as error:
        return str(error)
    await way.keys.keys_proved(title, generation, sealed[-1])
    await way.refresh()
    return None


def _transfer(client: ClientAssociation, parameter: Data) -> Steps[ActionResult]:
    try:
        yield from client.call(KEY_TRANSFER, parameter)
    except ActionRefusedError as error:
        return error.result
    return ActionResult.SUCCESS


def _not_taken(result: ActionResult, generation: int) -> Tried:
    words = f"the meter does not take its new keys ({result.name.lower()})"
    if result in _LATER:
        return Tried(RekeyReport.NO_ANSWER, words, generation)
    return Tried(RekeyReport.REFUSED, f"{words}: its master key may be another than ours", generation)
