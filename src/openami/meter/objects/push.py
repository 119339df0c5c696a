"""Push setups: what is pushed, in words of objects, and how often it is tried.

Where it goes is fixed by the network that the meter hangs in; a destination would be free text.
Source: IEC 62056-6-2, 4.4.8 (push setup, version 0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openami.kernel.obis import Obis
from openami.meter.objects.model import READERS, Attribute, CosemObject, Method, Writing, cosem_object
from openami.meter.objects.shapes import Number, integer_of
from openami.meter.objects.values import capture_value, enum
from openami.protocol.association.ports import ActionRefusedError
from openami.protocol.axdr import Data, Tag, array, octet_string, structure, u8, u16
from openami.protocol.cosem.reference import ActionResult, CaptureObject

MAX_SPREAD_S = 900
MAX_RETRIES = 10
MAX_DELAY_S = 3_600
_BY_UDP = 1
_AS_DLMS_APDU = 0


@dataclass(slots=True)
class PushSetup:
    """One push setup.

    Args:
        instance: logical name.
        named: the setup whose logical name its messages carry; mostly its own.
        pushed: what follows the name in a message.
        spread_s: pushes start at a random time within it [s].
        retries: repetitions.
        delay_s: between them [s].
    """

    instance: Obis
    named: Obis
    pushed: tuple[CaptureObject, ...]
    spread_s: int = 300
    retries: int = 0
    delay_s: int = 60

    def object_list(self) -> Sequence[CaptureObject]:
        """Return what a message is made of, in order."""
        return (CaptureObject(40, self.named, 1), *self.pushed)


def push_setup_object(setup: PushSetup, push: Callable[[PushSetup], bool]) -> CosemObject:
    """Return a push setup (class 40); ``push`` sends it now and returns whether the meter can."""

    def set_spread(data: Data) -> None:
        setup.spread_s = integer_of(data)

    def set_retries(data: Data) -> None:
        setup.retries = integer_of(data)

    def set_delay(data: Data) -> None:
        setup.delay_s = integer_of(data)

    def push_now(parameter: Data | None) -> Data | None:
        if parameter is not None and parameter.tag is not Tag.INTEGER:
            raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
        if not push(setup):
            raise ActionRefusedError(ActionResult.TEMPORARY_FAILURE)
        return None

    destination = structure(enum(_BY_UDP), octet_string(b""), enum(_AS_DLMS_APDU))
    u16_to = Tag.LONG_UNSIGNED
    return cosem_object(
        40, 0, str(setup.instance),
        [
            Attribute(2, lambda: array(*(capture_value(c) for c in setup.object_list())), READERS),
            Attribute(3, lambda: destination, READERS),
            Attribute(4, array, READERS),
            Attribute(5, lambda: u16(setup.spread_s), READERS, Writing(Number(u16_to, 0, MAX_SPREAD_S), set_spread)),
            Attribute(
                6, lambda: u8(setup.retries), READERS, Writing(Number(Tag.UNSIGNED, 0, MAX_RETRIES), set_retries)
            ),
            Attribute(7, lambda: u16(setup.delay_s), READERS, Writing(Number(u16_to, 1, MAX_DELAY_S), set_delay)),
        ],
        [Method(1, push_now)],
    )  # fmt: skip
