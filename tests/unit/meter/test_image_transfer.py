"""Firmware: what is signed by the maker and newer runs, and nothing else."""

from __future__ import annotations

import pytest
from tests.unit.meter.made import call, meter, read, run, write

from openami.meter.events import EventCode
from openami.meter.meter import VirtualMeter
from openami.meter.objects.image import BLOCK_OCTETS, MAX_IMAGE_OCTETS
from openami.meter.state import DeviceState
from openami.protocol.axdr import BitString, Data, Tag, octet_string, structure, u8, u32
from openami.protocol.cosem.reference import ActionResult, DataAccessResult
from openami.security.suites.curve import public_key_of, sign, verify_signature

IMAGE = "0.0.44.0.0.255"
MAKER, STRANGER = (7).to_bytes(32), (8).to_bytes(32)
IDENTIFIER = b"OAM240-01.02.00"
CONTENT = bytes(range(256)) * 5
REFUSED = ActionResult.OTHER_REASON


def maker_signed(message: bytes, signature: bytes) -> bool:
    return verify_signature(public_key_of(MAKER), message, signature)


def signed(key: bytes = MAKER, identifier: bytes = IDENTIFIER, content: bytes = CONTENT) -> bytes:
    return content + sign(key, identifier + content)


def fresh() -> VirtualMeter:
    return meter(state=DeviceState(maker_signed))


def initiate(one: VirtualMeter, size: int, identifier: bytes = IDENTIFIER) -> ActionResult:
    return call(one, 18, IMAGE, 1, structure(octet_string(identifier), u32(size)))


def block(one: VirtualMeter, number: int, image: bytes) -> ActionResult:
    part = image[number * BLOCK_OCTETS : (number + 1) * BLOCK_OCTETS]
    return call(one, 18, IMAGE, 2, structure(u32(number), octet_string(part)))


def send(one: VirtualMeter, image: bytes, identifier: bytes = IDENTIFIER) -> None:
    assert initiate(one, len(image), identifier) is ActionResult.SUCCESS
    for number in range(-(-len(image) // BLOCK_OCTETS)):
        assert block(one, number, image) is ActionResult.SUCCESS


def test_a_signed_image_is_verified_and_runs_when_it_is_told_to() -> None:
    one = fresh()
    send(one, signed())
    assert call(one, 18, IMAGE, 4) is REFUSED
    assert call(one, 18, IMAGE, 3, Data(Tag.INTEGER, 0)) is ActionResult.SUCCESS
    assert read(one, 18, IMAGE, 6).value == 3
    (info,) = read(one, 18, IMAGE, 7).elements
    assert [m.value for m in info.elements] == [len(signed()), IDENTIFIER, signed()[-64:]]
    assert read(one, 1, "1.0.0.2.0.255").octets == b"OAM240-01.00.00"
    assert call(one, 18, IMAGE, 4, Data(Tag.INTEGER, 0)) is ActionResult.SUCCESS
    assert (read(one, 18, IMAGE, 6).value, read(one, 1, "1.0.0.2.0.255").octets) == (6, IDENTIFIER)
    assert [c for _, c in one.log] == [EventCode.FIRMWARE_READY, EventCode.FIRMWARE_ACTIVATED]


@pytest.mark.attack("A20")
@pytest.mark.parametrize(
    ("image", "identifier"),
    [
        (signed(STRANGER), IDENTIFIER),
        (signed()[:-1] + bytes((signed()[-1] ^ 1,)), IDENTIFIER),
        (b"\x01" + signed()[1:], IDENTIFIER),
        (signed(), b"OAM240-01.03.00"),
        (signed(identifier=b"OAM240-00.09.00"), b"OAM240-00.09.00"),
        (signed(identifier=b"OAM240-01.00.00"), b"OAM240-01.00.00"),
        (bytes(len(signed())), IDENTIFIER),
    ],
    ids=["another key", "bit of the signature", "bit of the content", "another name", "older", "the same", "nothing"],
)
def test_an_image_that_is_not_the_makers_newer_one_is_thrown_away(image: bytes, identifier: bytes) -> None:
    one = fresh()
    send(one, image, identifier)
    assert call(one, 18, IMAGE, 3) is REFUSED
    assert (read(one, 18, IMAGE, 6).value, len(one.state.image.image)) == (4, 0)
    assert call(one, 18, IMAGE, 4) is REFUSED
    assert read(one, 1, "1.0.0.2.0.255").octets == b"OAM240-01.00.00"
    assert [c for _, c in one.log] == [EventCode.DECRYPTION_FAILED]


def test_half_an_image_survives_a_loss_of_power_and_the_transfer_goes_on_where_it_stood() -> None:
    one = fresh()
    image = signed()
    initiate(one, len(image))
    block(one, 0, image)
    block(one, 2, image)
    run(one, hours=1, power_mw=0, voltage_dv=None)
    run(one, hours=1)
    assert initiate(one, len(image)) is ActionResult.SUCCESS
    assert read(one, 18, IMAGE, 3).value == BitString(3, b"\xa0")
    assert read(one, 18, IMAGE, 4).integer == 1
    assert call(one, 18, IMAGE, 3) is REFUSED
    assert block(one, 1, image) is ActionResult.SUCCESS
    assert read(one, 18, IMAGE, 4).integer == 3
    assert call(one, 18, IMAGE, 3) is ActionResult.SUCCESS


def test_another_image_begins_anew() -> None:
    one = fresh()
    initiate(one, 2_000)
    block(one, 0, bytes(2_000))
    initiate(one, 2_000, b"OAM240-01.03.00")
    assert read(one, 18, IMAGE, 4).integer == 0


@pytest.mark.attack("A20", "A21")
@pytest.mark.parametrize(
    ("identifier", "size"),
    [
        (b"Jane Doe 555-0100", 2_000), (b"", 2_000), (IDENTIFIER + b"\n", 2_000), (IDENTIFIER, 0), (IDENTIFIER, 64),
        (IDENTIFIER, MAX_IMAGE_OCTETS + 1), (IDENTIFIER, 0xFFFF_FFFF),
    ],
)  # fmt: skip
def test_a_name_or_a_size_that_no_image_has_is_refused_and_takes_no_memory(identifier: bytes, size: int) -> None:
    one = fresh()
    assert initiate(one, size, identifier) is REFUSED
    assert len(one.state.image.image) == 0


@pytest.mark.parametrize(
    "parameter",
    [
        structure(u32(3), octet_string(b"")), structure(u32(0), octet_string(b"x")),
        structure(u8(0), octet_string(b"")),
        structure(u32(0)), structure(u32(2), octet_string(bytes(BLOCK_OCTETS))), octet_string(b""), None,
    ],
)  # fmt: skip
def test_a_block_that_does_not_fit_is_refused(parameter: Data | None) -> None:
    one = fresh()
    initiate(one, len(signed()))
    assert call(one, 18, IMAGE, 2, parameter) in {REFUSED, ActionResult.TYPE_UNMATCHED}
    assert not any(one.state.image.has_block)


def test_a_disabled_transfer_takes_nothing() -> None:
    one = fresh()
    assert write(one, 18, IMAGE, 5, Data(Tag.BOOLEAN, False)) is DataAccessResult.SUCCESS
    assert initiate(one, 2_000) is ActionResult.TEMPORARY_FAILURE
