"""What a plain APDU would do to a meter, from its own octets. What is not understood is refused, not guessed.

What has two readings has none: an APDU must be written as we write it, so that no meter reads it otherwise than we.
A list, or an ACCESS of several parts, is as grave as its gravest part. Pieces of a long parameter after the first say
nothing of what they continue and are refused: our requests fit one APDU.

Source: IEC 62056-6-2, 4 (interface classes and their methods); requirement R3.4 (critical commands).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openami.contracts.command import CommandClass, CommandEffect
from openami.kernel.errors import OpenAmiError
from openami.kernel.obis import Obis
from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import InitiateRequest
from openami.protocol.apdu.services import (
    AccessItem,
    AccessKind,
    AccessRequest,
    ActionRequest,
    ActionRequestFirstBlock,
    ActionRequestList,
    ActionRequestListFirstBlock,
    ActionRequestNext,
    GetRequest,
    GetRequestList,
    GetRequestNext,
    SetRequest,
    SetRequestFirstBlock,
    SetRequestList,
    SetRequestListFirstBlock,
)
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.cosem.datetime import DATE_TIME_OCTETS, CosemDateTime, decode_date_time
from openami.protocol.cosem.reference import AttributeRef, MethodRef
from openami.protocol.errors import PeerError

_TIME_OF_CLOCK = AttributeRef(8, Obis(bytes((0, 0, 1, 0, 0, 255))), 2)
_SCRIPTS, _SCHEDULE, _ASSOCIATION_SN, _ASSOCIATION = 9, 10, 12, 15
_IMAGE, _REGISTER_MONITOR, _SINGLE_ACTION, _SECURITY, _DISCONNECT, _LIMITER = 18, 21, 22, 64, 70, 71
_REPLY_TO_HLS = 1
_EFFECT_OF_SWITCH = {1: CommandEffect.DISCONNECT, 2: CommandEffect.RECONNECT}
"""Methods of a disconnect control."""
_THRESHOLDS = range(3, 6)
"""Attributes of a limiter: active, normal, emergency. Its other ones have no value that a bound could be put to."""
_ACCESS_STAMP_AT = 5
_SECOND_OCTETS: Mapping[int, range] = {
    # Whether a dedicated key follows.
    ApduTag.INITIATE_REQUEST: range(2),
    # The choice of normal, next, with-list and blocks.
    ApduTag.GET_REQUEST: range(1, 4),
    ApduTag.SET_REQUEST: range(1, 6),
    ApduTag.ACTION_REQUEST: range(1, 7),
}
_CLASS_OF_OBJECT = {
    _SECURITY: CommandClass.KEY,
    _ASSOCIATION: CommandClass.KEY,
    _ASSOCIATION_SN: CommandClass.KEY,
    _IMAGE: CommandClass.FIRMWARE,
    _DISCONNECT: CommandClass.SWITCH,
    _LIMITER: CommandClass.SWITCH,
    # These run scripts, and a script may throw the switch.
    _SCRIPTS: CommandClass.SWITCH,
    _SCHEDULE: CommandClass.SWITCH,
    _REGISTER_MONITOR: CommandClass.SWITCH,
    _SINGLE_ACTION: CommandClass.SWITCH,
}
_GRAVITY = (
    CommandClass.ASSOCIATION,
    CommandClass.READ,
    CommandClass.WRITE,
    CommandClass.SWITCH,
    CommandClass.FIRMWARE,
    CommandClass.KEY,
)


class UnknownCommandError(OpenAmiError):
    """An APDU of which it cannot be told what it would do. The text names its kind, nothing of its content."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What an APDU does.

    Args:
        command_class: its class.
        clock: what a write sets the meter's clock to, where it sets the time of the clock and does nothing else.
        on_supply: what it does to the customer's supply; OTHER where it is not one plain thing.
        limit: the threshold that it sets, where it limits the load and does nothing else, in the limiter's unit.
    """

    command_class: CommandClass
    clock: CosemDateTime | None = None
    on_supply: CommandEffect = CommandEffect.NONE
    limit: int = 0


def effect_of(plaintext: bytes) -> Effect:
    """Return what a plain APDU does.

    Args:
        plaintext: the APDU before it is sealed; of an association, its initiate request.

    Raises:
        UnknownCommandError: not an APDU, or none that a client may send alone.
    """
    try:
        message = messages.decode(plaintext)
    except PeerError as error:
        raise UnknownCommandError(f"not an APDU: {error.code}") from error
    if messages.encode(message) != plaintext:
        # It can be written in another way, and a meter might read it in another way.
        raise UnknownCommandError(f"{type(message).__name__}: not in its one shortest form")
    if isinstance(message, InitiateRequest):
        if message.dedicated_key is not None:
            # Whoever knows it seals past the command process; we make no use of dedicated keys.
            raise UnknownCommandError("InitiateRequest with a dedicated key")
        return Effect(CommandClass.ASSOCIATION)
    if isinstance(message, GetRequest | GetRequestNext | GetRequestList | ActionRequestNext):
        return Effect(CommandClass.READ)
    if isinstance(message, AccessRequest):
        return _gravest([_effect_of_part(part) for part in message.items])
    if isinstance(message, SetRequest) and (clock := _clock_of(message)) is not None:
        return Effect(CommandClass.WRITE, clock)
    if isinstance(message, SetRequest) and (limit := _limit_of(message)) is not None:
        return Effect(CommandClass.SWITCH, on_supply=CommandEffect.LIMIT, limit=limit)
    targets = _targets(message)
    if targets is None:
        raise UnknownCommandError(f"{type(message).__name__}: nothing that is sent to a meter alone")
    return _gravest([_effect_on(target) for target in targets])


def begins_as_request(octets: bytes) -> bool:
    """Tell whether octets begin as a request that a meter might carry out, were it authenticated and not encrypted.

    Our answer to a challenge is the tag that such a request would need, so no challenge may begin like one. One random
    challenge in some three thousand does, and the next attempt brings another.

    Source: IEC 62056-5-3, 5.3.7.4 (GMAC over the challenge) and 5.3.7.2 (authenticated APDU): the same construction.
    """
    if octets[:1] == bytes((ApduTag.ACCESS_REQUEST,)):
        # Long invoke id, then a date-time of no or twelve octets.
        return len(octets) <= _ACCESS_STAMP_AT or octets[_ACCESS_STAMP_AT] in {0, DATE_TIME_OCTETS}
    return len(octets) > 1 and octets[1] in _SECOND_OCTETS.get(octets[0], range(0))


def _targets(message: messages.Apdu) -> tuple[AttributeRef | MethodRef, ...] | None:
    if isinstance(message, SetRequest | SetRequestFirstBlock):
        return (message.attribute,)
    if isinstance(message, SetRequestList | SetRequestListFirstBlock):
        return tuple(attribute for attribute, _ in message.items)
    if isinstance(message, ActionRequest | ActionRequestFirstBlock):
        return (message.method,)
    if isinstance(message, ActionRequestList | ActionRequestListFirstBlock):
        return message.methods
    return None


def _effect_of_part(part: AccessItem) -> Effect:
    return Effect(CommandClass.READ) if part.kind is AccessKind.GET else _effect_on(part.target)


def _effect_on(target: AttributeRef | MethodRef) -> Effect:
    if isinstance(target, MethodRef) and (target.class_id, target.method) == (_ASSOCIATION, _REPLY_TO_HLS):
        return Effect(CommandClass.ASSOCIATION)
    command_class = _CLASS_OF_OBJECT.get(target.class_id, CommandClass.WRITE)
    if command_class is not CommandClass.SWITCH:
        return Effect(command_class)
    if isinstance(target, MethodRef) and target.class_id == _DISCONNECT:
        return Effect(command_class, on_supply=_EFFECT_OF_SWITCH.get(target.method, CommandEffect.OTHER))
    return Effect(command_class, on_supply=CommandEffect.OTHER)


def _limit_of(message: SetRequest) -> int | None:
    attribute = message.attribute
    if attribute.class_id != _LIMITER or attribute.attribute not in _THRESHOLDS or message.selection is not None:
        return None
    return message.value.integer


def _clock_of(message: SetRequest) -> CosemDateTime | None:
    octets = message.value.octets
    if message.attribute != _TIME_OF_CLOCK or message.selection is not None or octets is None:
        return None
    try:
        return decode_date_time(octets)
    except PeerError:
        return None


def _gravest(effects: list[Effect]) -> Effect:
    if not effects:
        raise UnknownCommandError("a list of nothing")
    command_class = max((effect.command_class for effect in effects), key=_GRAVITY.index)
    if len(effects) == 1:
        return effects[0]
    # Several things at once are not one plain thing: off, on and off again in one list is no reconnection.
    switches = any(effect.on_supply is not CommandEffect.NONE for effect in effects)
    return Effect(command_class, on_supply=CommandEffect.OTHER if switches else CommandEffect.NONE)
