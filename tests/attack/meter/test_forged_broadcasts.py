"""A12: whoever has the key that a group shares can say nothing to a meter that changes it, in any disguise."""

from __future__ import annotations

import pytest
from tests.pair.meter.reading import HEADEND, Reader
from tests.pair.meter.test_read_a_meter import associations
from tests.unit.meter.made import NOON, at, meter, run

from openami.kernel.obis import Obis
from openami.meter.meter import VirtualMeter
from openami.protocol import apdu as messages
from openami.protocol.apdu.services import ActionRequest, GetRequest, SetRequest
from openami.protocol.axdr import Data, Tag, array, octet_string, structure
from openami.protocol.cosem.reference import AttributeRef, MethodRef
from openami.security.suites.gcm import seal
from openami.security.suites.wrap import wrap_key

pytestmark = pytest.mark.attack("A12")
GROUP_KEY, BROADCAST = bytes(range(200, 216)), 0x40
ZERO = Data(Tag.INTEGER, 0)
KEY_TRANSFER = MethodRef(64, Obis.from_text("0.0.43.0.0.255"), 2)
ENERGY = AttributeRef(3, Obis.from_text("1.0.1.8.0.255"), 2)
SAID: dict[str, messages.Apdu] = {
    "open the switch": ActionRequest(0xC1, MethodRef(70, Obis.from_text("0.0.96.3.10.255"), 1), ZERO),
    "limit the load": SetRequest(
        0xC1, AttributeRef(71, Obis.from_text("0.0.17.0.0.255"), 4), None, Data(Tag.DOUBLE_LONG_UNSIGNED, 1)
    ),
    "set the clock": SetRequest(0xC1, AttributeRef(8, Obis.from_text("0.0.1.0.0.255"), 2), None, at(NOON)),
    "run another firmware": ActionRequest(0xC1, MethodRef(18, Obis.from_text("0.0.44.0.0.255"), 4), ZERO),
    "take another key": ActionRequest(
        0xC1,
        KEY_TRANSFER,
        array(structure(Data(Tag.ENUM, 0), octet_string(wrap_key(bytes(16), wrapping_key=GROUP_KEY)))),
    ),
    "be read": GetRequest(0xC1, ENERGY),
}


def state(one: VirtualMeter) -> tuple[object, ...]:
    return (
        one.state.switch.is_closed,
        one.state.limiter.threshold_w,
        one.now,
        one.clock.shows(one.now),
        one.state.image.active,
        one.identity,
    )


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("is_associated", [True, False], ids=["during an association", "by itself"])
@pytest.mark.parametrize("client", [1, 16, 32], ids=["as management", "as the public client", "as a reader"])
def test_a_forged_broadcast_changes_nothing(said: str, *, is_associated: bool, client: int) -> None:
    one = meter()
    run(one, hours=1)
    served = associations(one)
    boss = Reader(one.identity, served.answer)
    if is_associated:
        boss.associate()
    before = state(one)
    plaintext, auth_key = messages.encode(SAID[said]), one.identity.authentication_key
    # The worst: a device of the group, which knows the group's key and, here, even this meter's authentication key;
    # once also somebody with the meter's own key who calls it a broadcast.
    for key in (GROUP_KEY, one.identity.encryption_key):
        for control in (0x30 | BROADCAST, 0x20 | BROADCAST, 0x10 | BROADCAST):
            body = seal(HEADEND, 900, plaintext, key=key, auth_key=auth_key, control=control)
            for octets in (messages.general_glo(HEADEND, body), bytes((0xCB, len(body))) + body):
                answers = served.answer(client, octets)
                assert not any(b"\xc5\x01\xc1\x00" in a or b"\xc7\x01\xc1\x00" in a for a in answers)
    assert state(one) == before
    if is_associated:
        assert boss.run(boss.association.read(ENERGY)).integer == 2_000


def test_the_meter_writes_down_that_somebody_tried() -> None:
    one = meter()
    served = associations(one)
    boss = Reader(one.identity, served.answer)
    boss.associate()
    body = seal(
        HEADEND, 900, messages.encode(SAID["open the switch"]), key=GROUP_KEY,
        auth_key=one.identity.authentication_key, control=0x70,
    )  # fmt: skip
    served.answer(1, messages.general_glo(HEADEND, body))
    assert one.log
