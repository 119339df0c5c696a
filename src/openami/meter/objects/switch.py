"""The disconnect switch and the limiter that may open it.

Source: IEC 62056-6-2, 4.5.8 (disconnect control: states, transitions a to h, modes 0 to 6), 4.5.9 (limiter).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import MappingProxyType

from openami.kernel.obis import Obis
from openami.meter.objects.model import READERS, Attribute, Call, CosemObject, Method, Writing, cosem_object
from openami.meter.objects.shapes import Number, integer_of
from openami.meter.objects.values import boolean, enum, i8, name_of, no_time
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.axdr import Data, Tag, array, structure, u16, u32
from openami.protocol.cosem.reference import ActionResult, DataAccessResult

SWITCH_INSTANCE = "0.0.96.3.10.255"
SWITCH_SCRIPTS = "0.0.10.0.106.255"
LIMITER_INSTANCE = "0.0.17.0.0.255"
POWER_REGISTER = "1.0.1.7.0.255"
DEFAULT_MODE = 4
"""Remote reconnection closes directly; a hand cannot open, the limiter can."""
MAX_MODE = 6
LIMITER_OFF = 0
MAX_LIMIT_W = 1_000_000
MAX_DURATION_S = 86_400


class ControlState(IntEnum):
    """Control states."""

    DISCONNECTED = 0
    CONNECTED = 1
    READY_FOR_RECONNECTION = 2


class Order(Enum):
    """Who wants what."""

    REMOTE_DISCONNECT = "remote_disconnect"
    REMOTE_RECONNECT = "remote_reconnect"
    MANUAL_DISCONNECT = "manual_disconnect"
    MANUAL_RECONNECT = "manual_reconnect"
    LOCAL_DISCONNECT = "local_disconnect"
    LOCAL_RECONNECT = "local_reconnect"


_TRANSITIONS: Mapping[str, tuple[Order, ControlState, ControlState]] = MappingProxyType({
    "a": (Order.REMOTE_RECONNECT, ControlState.DISCONNECTED, ControlState.CONNECTED),
    "b": (Order.REMOTE_DISCONNECT, ControlState.CONNECTED, ControlState.DISCONNECTED),
    "c": (Order.REMOTE_DISCONNECT, ControlState.READY_FOR_RECONNECTION, ControlState.DISCONNECTED),
    "d": (Order.REMOTE_RECONNECT, ControlState.DISCONNECTED, ControlState.READY_FOR_RECONNECTION),
    "e": (Order.MANUAL_RECONNECT, ControlState.READY_FOR_RECONNECTION, ControlState.CONNECTED),
    "f": (Order.MANUAL_DISCONNECT, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION),
    "g": (Order.LOCAL_DISCONNECT, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION),
    "h": (Order.LOCAL_RECONNECT, ControlState.READY_FOR_RECONNECTION, ControlState.CONNECTED),
})  # fmt: skip
_LETTERS_OF_MODE: Mapping[int, str] = MappingProxyType({
    0: "", 1: "bcdefg", 2: "abcefg", 3: "bcdeg", 4: "abceg", 5: "bcdefgh", 6: "bcdegh",
})  # fmt: skip
"""Which transitions each mode has. Mode 0 has none: always connected."""


@dataclass(slots=True)
class Switch:
    """State of the disconnect switch.

    Args:
        state: control state.
        mode: control mode, 0 to 6.
    """

    state: ControlState = ControlState.CONNECTED
    mode: int = DEFAULT_MODE

    @property
    def is_closed(self) -> bool:
        """Whether current can flow: the output state."""
        return self.state is ControlState.CONNECTED

    def order(self, order: Order) -> bool:
        """Carry out an order if the mode has it and return whether the state changed."""
        for letter in _LETTERS_OF_MODE[self.mode]:
            wanted, before, after = _TRANSITIONS[letter]
            if wanted is order and before is self.state:
                self.state = after
                return True
        return False

    def set_mode(self, mode: int) -> None:
        """Set the control mode.

        Raises:
            AccessRefusedError: mode 0 while the switch is open; it would close it by the back door.
        """
        if mode == 0 and not self.is_closed:
            raise AccessRefusedError(DataAccessResult.OTHER_REASON)
        self.mode = mode


def switch_object(switch: Switch, order: Callable[[Order], bool]) -> CosemObject:
    """Return the disconnect control (class 70).

    Args:
        switch: its state.
        order: carries an order out, logs it, and returns whether the state changed.
    """
    writing = Writing(Number(Tag.ENUM, 0, MAX_MODE), lambda data: switch.set_mode(integer_of(data)))

    def call(wanted: Order, settled: frozenset[ControlState]) -> Call:
        def method(parameter: Data | None) -> Data | None:
            if parameter is not None and parameter.tag is not Tag.INTEGER:
                raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
            # An order that is carried out already is no failure; one that the mode does not know is.
            if not order(wanted) and (switch.state not in settled or switch.mode == 0):
                raise ActionRefusedError(ActionResult.OTHER_REASON)
            return None

        return method

    disconnected = frozenset({ControlState.DISCONNECTED})
    reconnected = frozenset({ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION})
    return cosem_object(
        70, 0, SWITCH_INSTANCE,
        [
            Attribute(2, lambda: boolean(switch.is_closed), READERS),
            Attribute(3, lambda: enum(switch.state), READERS),
            Attribute(4, lambda: enum(switch.mode), READERS, writing),
        ],
        [
            Method(1, call(Order.REMOTE_DISCONNECT, disconnected)),
            Method(2, call(Order.REMOTE_RECONNECT, reconnected)),
        ],
    )  # fmt: skip


@dataclass(slots=True)
class Limiter:
    """A limit on the power that the customer takes.

    Args:
        threshold_w: the limit [W]; 0 is none.
        over_s: how long the power must be over it [s].
        under_s: how long it must be under it again [s].
    """

    threshold_w: int = LIMITER_OFF
    over_s: int = 60
    under_s: int = 60
    is_exceeded: bool = False
    _since_us: int = 0

    def due_us(self, power_w: int) -> int | None:
        """Return after how long even power makes the limiter act [us]; None where it never does."""
        if self.threshold_w == LIMITER_OFF or not self._crosses(power_w):
            return None
        return max(self._wait_us() - self._since_us, 1)

    def see(self, power_w: int, span_us: int) -> Order | None:
        """Take note of even power over a span and return what the limiter wants, if anything.

        Args:
            power_w: power to the customer [W].
            span_us: how long [us].
        """
        if self.threshold_w == LIMITER_OFF:
            self.is_exceeded, self._since_us = False, 0
            return None
        crosses = self._crosses(power_w)
        self._since_us = self._since_us + span_us if crosses else 0
        if not crosses or self._since_us < self._wait_us():
            return None
        self.is_exceeded, self._since_us = not self.is_exceeded, 0
        return Order.LOCAL_DISCONNECT if self.is_exceeded else Order.LOCAL_RECONNECT

    def _crosses(self, power_w: int) -> bool:
        return power_w <= self.threshold_w if self.is_exceeded else power_w > self.threshold_w

    def _wait_us(self) -> int:
        return (self.under_s if self.is_exceeded else self.over_s) * 1_000_000


def limiter_object(limiter: Limiter, changed: Callable[[], None]) -> CosemObject:
    """Return the limiter (class 71); ``changed`` is told when the threshold was written."""

    def set_threshold(data: Data) -> None:
        limiter.threshold_w = integer_of(data)
        changed()

    def set_over(data: Data) -> None:
        limiter.over_s = integer_of(data)

    def set_under(data: Data) -> None:
        limiter.under_s = integer_of(data)

    duration = Number(Tag.DOUBLE_LONG_UNSIGNED, 1, MAX_DURATION_S)
    threshold = Writing(Number(Tag.DOUBLE_LONG_UNSIGNED, LIMITER_OFF, MAX_LIMIT_W), set_threshold)
    watched = structure(u16(3), name_of(Obis.from_text(POWER_REGISTER)), i8(2))
    script = Obis.from_text(SWITCH_SCRIPTS)
    actions = structure(structure(name_of(script), u16(1)), structure(name_of(script), u16(2)))
    no_emergency = structure(u16(0), no_time(), u32(0))
    return cosem_object(
        71, 0, LIMITER_INSTANCE,
        [
            Attribute(2, lambda: watched, READERS),
            Attribute(3, lambda: u32(limiter.threshold_w), READERS),
            Attribute(4, lambda: u32(limiter.threshold_w), READERS, threshold),
            Attribute(5, lambda: u32(LIMITER_OFF), READERS),
            Attribute(6, lambda: u32(limiter.over_s), READERS, Writing(duration, set_over)),
            Attribute(7, lambda: u32(limiter.under_s), READERS, Writing(duration, set_under)),
            Attribute(8, lambda: no_emergency, READERS),
            Attribute(9, array, READERS),
            Attribute(10, lambda: boolean(False), READERS),
            Attribute(11, lambda: actions, READERS),
        ],
    )  # fmt: skip
