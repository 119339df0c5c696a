"""The one plain step that each switching order comes down to, both ways: as an APDU, and as what an APDU asks for.

Source: IEC 62056-6-2, 4.5.8 (disconnect control, class 70), 4.5.9 (limiter, class 71).
"""

from __future__ import annotations

from openami.headend.switching.order import SwitchAction
from openami.kernel.obis import Obis
from openami.protocol import apdu as messages
from openami.protocol.apdu.services import ActionRequest, SetRequest
from openami.protocol.axdr import Data, Tag, u32
from openami.protocol.cosem.reference import AttributeRef, MethodRef
from openami.protocol.errors import PeerError

SWITCH, LIMITER = Obis.from_text("0.0.96.3.10.255"), Obis.from_text("0.0.17.0.0.255")
OPEN, CLOSE = MethodRef(70, SWITCH, 1), MethodRef(70, SWITCH, 2)
THRESHOLD = AttributeRef(71, LIMITER, 4)
ZERO = Data(Tag.INTEGER, 0)
_INVOKE = 0xC1


def plain_step(action: SwitchAction, limit_w: int = 0) -> bytes:
    """Return the plain APDU that an order comes down to: what the command process is asked for before the air is used.

    Args:
        action: what is done.
        limit_w: of a LIMIT.
    """
    if action is SwitchAction.LIMIT:
        return messages.encode(SetRequest(_INVOKE, THRESHOLD, None, u32(limit_w)))
    method = OPEN if action is SwitchAction.DISCONNECT else CLOSE
    return messages.encode(ActionRequest(_INVOKE, method, ZERO))


def asked_of(plaintext: bytes) -> tuple[SwitchAction, int] | None:
    """Return the action, and the limit [W], that a plain APDU asks for; None where it is none of our steps.

    Args:
        plaintext: the APDU before it is sealed.
    """
    try:
        request = messages.decode(plaintext)
    except PeerError:
        return None
    if isinstance(request, ActionRequest) and request.parameter == ZERO:
        if request.method == OPEN:
            return SwitchAction.DISCONNECT, 0
        if request.method == CLOSE:
            return SwitchAction.RECONNECT, 0
    if isinstance(request, SetRequest) and request.attribute == THRESHOLD and request.selection is None:
        value = request.value
        if value.tag is Tag.DOUBLE_LONG_UNSIGNED and value.integer is not None:
            return SwitchAction.LIMIT, value.integer
    return None
