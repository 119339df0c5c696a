"""Two people's approval lets exactly one image go to exactly the meters it names, in its window, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from tests.unit.headend.test_classify import DISCONNECT, ON

from openami.contracts.command import CommandClass
from openami.headend.command.firmware import MISMATCH_S, FirmwareApprovals, is_step_of
from openami.headend.command.ports import ApprovalRequest, CommandUnavailableError
from openami.headend.session.firmware import ACTIVATE, BLOCK, IMAGE, IMAGE_CLASS, INITIATE, VERIFY
from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.protocol import apdu as messages
from openami.protocol.apdu.services import ActionRequest, ActionRequestList, SetRequest
from openami.protocol.axdr import Data, Tag, octet_string, structure, u32
from openami.protocol.cosem.reference import AttributeRef, MethodRef
from openami.security.access.approval import (
    ApprovalsUnavailableError,
    FirmwareApproval,
    FirmwareSubject,
    digest_of_meters,
    good_firmware,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ID = b"OAM240-02.00.00"
OCTETS = bytes(range(256)) * 5 + b"the end"
METERS = [SystemTitle(b"OAM" + n.to_bytes(5, "big")) for n in range(3)]
STRANGER = SystemTitle(b"OAM" + bytes(4) + b"\x09")
SUBJECT = FirmwareSubject(
    UUID(int=1), ID, sha256(OCTETS).digest(), digest_of_meters(METERS), Period(NOW - HOUR, NOW + HOUR)
)
ZERO = Data(Tag.INTEGER, 0)


def given(user: int, subject: FirmwareSubject = SUBJECT, *, withdrawn_at: datetime | None = None) -> FirmwareApproval:
    return FirmwareApproval(UUID(int=100 + user), subject, UUID(int=user), NOW, withdrawn_at)


def call(method: int, parameter: Data, *, class_id: int = IMAGE_CLASS) -> bytes:
    return messages.encode(ActionRequest(0xC1, MethodRef(class_id, IMAGE, method), parameter))


def block(number: int, piece: bytes) -> bytes:
    return call(BLOCK, structure(u32(number), octet_string(piece)))


STEPS = {
    "begin": call(INITIATE, structure(octet_string(ID), u32(len(OCTETS)))),
    "first block": block(0, OCTETS[:512]),
    "second block": block(1, OCTETS[512:1024]),
    "last block": block(2, OCTETS[1024:]),
    "verify": call(VERIFY, ZERO),
    "run it": call(ACTIVATE, ZERO),
}
OTHERS = {
    "another name": call(INITIATE, structure(octet_string(b"OAM240-03.00.00"), u32(len(OCTETS)))),
    "another size": call(INITIATE, structure(octet_string(ID), u32(len(OCTETS) + 1))),
    "a changed octet": block(1, OCTETS[512:1023] + b"!"),
    "a block at another place": block(2, OCTETS[512:1024]),
    "a last block that is longer": block(2, OCTETS[1024:] + b"!"),
    "an empty block": block(0, b""),
    "a block beyond the end": block(3, OCTETS[1024:]),
    "a block of three parts": call(BLOCK, structure(u32(0), octet_string(OCTETS[:512]), u32(0))),
    "another class": call(VERIFY, ZERO, class_id=70),
    "no such method": call(5, ZERO),
    "another parameter": call(ACTIVATE, u32(0)),
    "a list": messages.encode(ActionRequestList(0xC1, (MethodRef(IMAGE_CLASS, IMAGE, VERIFY),), (ZERO,))),
    "transfer switched off": messages.encode(
        SetRequest(0xC1, AttributeRef(IMAGE_CLASS, IMAGE, 5), None, Data(Tag.BOOLEAN, False))
    ),
    "the switch": messages.encode(ActionRequest(0xC1, DISCONNECT, ON)),
    "no APDU": b"\xc3\x01",
}


@dataclass
class Desk:
    """Approvals, images and meters in memory."""

    approvals: list[FirmwareApproval] = field(default_factory=lambda: [given(1), given(2)])
    images: dict[bytes, bytes] = field(default_factory=lambda: {SUBJECT.image_digest: OCTETS})
    titles: list[SystemTitle] = field(default_factory=lambda: list(METERS))
    is_away: bool = False
    now: datetime = NOW
    looks: int = 0

    async def firmware(self, *, now: datetime) -> Sequence[FirmwareApproval]:
        if self.is_away:
            raise ApprovalsUnavailableError("away")
        return [a for a in self.approvals if a.subject.window.holds(now)]

    async def image(self, digest: bytes) -> bytes | None:
        self.looks += 1
        return self.images.get(digest)

    async def meters(self, _campaign_id: UUID) -> list[SystemTitle]:
        return self.titles

    async def find(
        self,
        plaintext: bytes = STEPS["begin"],
        *,
        title: SystemTitle = METERS[1],
        kind: CommandClass = CommandClass.FIRMWARE,
    ) -> tuple[UUID, ...]:
        rule = FirmwareApprovals(self, self, lambda: self.now)
        found = await rule.spend(ApprovalRequest(title, kind, sha256(plaintext).digest(), plaintext))
        return () if found is None else found.approvals


@pytest.mark.parametrize("step", STEPS)
async def test_every_step_of_an_approved_image_passes_with_both_approvals(step: str) -> None:
    assert await Desk().find(STEPS[step]) == (UUID(int=101), UUID(int=102))


@pytest.mark.attack("A20")
@pytest.mark.parametrize("other", OTHERS)
async def test_nothing_else_passes(other: str) -> None:
    assert await Desk().find(OTHERS[other]) == ()
    assert not is_step_of(OTHERS[other], image_id=ID, image=OCTETS)


@pytest.mark.attack("A16")
@pytest.mark.parametrize(
    "desk",
    [
        Desk(approvals=[]),
        Desk(approvals=[given(1)]),
        Desk(approvals=[given(1), replace(given(1), approval_id=UUID(int=9))]),
        Desk(approvals=[given(1), given(2, withdrawn_at=NOW)]),
        Desk(approvals=[given(1), given(2, replace(SUBJECT, image_digest=bytes(32)))]),
        Desk(approvals=[given(1), given(2, replace(SUBJECT, meters_digest=bytes(32)))]),
        Desk(approvals=[given(1), given(2, replace(SUBJECT, window=Period(NOW - HOUR, NOW + HOUR / 2)))]),
        Desk(approvals=[given(1), given(2, replace(SUBJECT, campaign_id=UUID(int=2)))]),
        Desk(now=NOW + HOUR),
        Desk(now=NOW - HOUR - timedelta(seconds=1)),
        Desk(titles=[*METERS, STRANGER]),
        Desk(titles=METERS[:2]),
        Desk(images={}),
        Desk(images={SUBJECT.image_digest: OCTETS + b"!"}),
    ],
    ids=[
        "nobody", "one person", "one person twice", "withdrawn", "another image", "other meters", "another window",
        "another campaign", "after the window", "before the window", "a meter more", "a meter less", "no image",
        "an image of another digest",
    ],
)  # fmt: skip
async def test_an_approval_that_is_not_for_exactly_this_does_not_serve(desk: Desk) -> None:
    assert await desk.find() == ()


async def test_a_meter_that_the_list_does_not_name_gets_nothing() -> None:
    assert await Desk().find(title=STRANGER) == ()


async def test_firmware_alone_is_approved_so() -> None:
    assert await Desk().find(OTHERS["the switch"], kind=CommandClass.SWITCH) == ()


async def test_approvals_that_cannot_be_read_are_no_refusal() -> None:
    with pytest.raises(CommandUnavailableError):
        await Desk(is_away=True).find()


async def test_a_withdrawn_approval_stops_within_a_second() -> None:
    desk = Desk()
    rule = FirmwareApprovals(desk, desk, lambda: desk.now)
    request = ApprovalRequest(METERS[0], CommandClass.FIRMWARE, bytes(32), STEPS["run it"])
    assert await rule.find(request)
    desk.approvals = []
    desk.now += timedelta(seconds=1)
    assert await rule.find(request) is None


async def test_an_image_that_is_not_the_approved_one_is_not_read_for_every_request() -> None:
    desk = Desk(images={SUBJECT.image_digest: OCTETS + b"!"})
    rule = FirmwareApprovals(desk, desk, lambda: desk.now)
    request = ApprovalRequest(METERS[0], CommandClass.FIRMWARE, bytes(32), STEPS["run it"])
    for _ in range(5):
        assert await rule.find(request) is None
    assert desk.looks == 1
    desk.images[SUBJECT.image_digest] = OCTETS
    assert await rule.find(request) is None
    desk.now += timedelta(seconds=MISMATCH_S)
    assert await rule.find(request)
    assert desk.looks == 2


def test_a_list_of_meters_has_one_digest_in_any_order() -> None:
    assert digest_of_meters(METERS) == digest_of_meters([*reversed(METERS), METERS[0]])
    assert digest_of_meters(METERS) != digest_of_meters(METERS[:2])
    assert good_firmware([given(1), given(2)], now=NOW) == {SUBJECT: (UUID(int=101), UUID(int=102))}
    with pytest.raises(MisuseError):
        replace(SUBJECT, image_digest=b"short")
    with pytest.raises(MisuseError):
        replace(SUBJECT, image_id=b"")


@pytest.mark.parametrize("size", [1, 7, 100, 512, 1287])
def test_blocks_of_any_size_are_recognized(size: int) -> None:
    pieces = [OCTETS[at : at + size] for at in range(0, len(OCTETS), size)]
    assert all(is_step_of(block(n, p), image_id=ID, image=OCTETS) for n, p in enumerate(pieces))
