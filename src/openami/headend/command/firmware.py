"""Whether firmware may go to a meter: two people approved this image for these meters, and the APDU is a part of it.

The head-end is not believed. What it asks to have sealed must be a step of the image transfer, and a block must be
the approved image's own octets; the list of meters must be the one whose digest was approved.

Activation names no image in DLMS: it is allowed to meters of an approved campaign, and what they then run is what they
have verified by the maker's signature.

Source: IEC 62056-6-2, 4.4.6 (image transfer); DESIGN section 4 (Downlink); requirement R3.4.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from openami.contracts.command import CommandClass
from openami.headend.command.ports import ApprovalRequest, CommandUnavailableError, Warrant
from openami.kernel.ids import SystemTitle
from openami.kernel.obis import Obis
from openami.protocol import apdu as messages
from openami.protocol.apdu.services import ActionRequest
from openami.protocol.axdr import Data, Tag
from openami.protocol.errors import PeerError
from openami.security.access.approval import (
    ApprovalBook,
    ApprovalsUnavailableError,
    FirmwareApproval,
    FirmwareSubject,
    digest_of_meters,
    good_firmware,
)

_IMAGE_CLASS, _IMAGE = 18, Obis.from_text("0.0.44.0.0.255")
_INITIATE, _BLOCK, _VERIFY, _ACTIVATE = 1, 2, 3, 4
_NOTHING = Data(Tag.NULL)
BOOK_S = 1.0
"""Real time for which the approvals that were read last are good: a withdrawn one stops within it."""
MISMATCH_S = 10.0
"""Real time for which a campaign whose image or meters are not the approved ones is not looked at again: each look
reads an image of up to 16 MB, and every request of the rollout would take one."""
MAX_CAMPAIGNS = 8
"""Campaigns whose image and meters are held: with images of 16 MB at most 130 MB, usually a few."""


class FirmwareStore(Protocol):
    """Images and lists of meters as the head-end keeps them; nothing of it is believed before its digest is compared.

    Raises :class:`CommandUnavailableError`.
    """

    async def image(self, digest: bytes) -> bytes | None:
        """Return the octets kept under a digest; None for none."""
        ...

    async def meters(self, campaign_id: UUID) -> list[SystemTitle]:
        """Return the meters of a campaign."""
        ...


@dataclass(frozen=True, slots=True)
class _Held:
    """What belongs to a subject, once its digests agreed."""

    image: bytes
    meters: frozenset[bytes]


class FirmwareApprovals:
    """:class:`openami.headend.command.ports.Approvals`: of firmware alone; nothing else is approved.

    Args:
        book: what people approved.
        store: images and meters.
        real_now: the host's clock; windows are real time.
    """

    def __init__(self, book: ApprovalBook, store: FirmwareStore, real_now: Callable[[], datetime]) -> None:
        self._book, self._store, self._real_now = book, store, real_now
        self._read: tuple[datetime, tuple[FirmwareApproval, ...]] | None = None
        self._held: OrderedDict[FirmwareSubject, _Held] = OrderedDict()
        self._mismatched: dict[FirmwareSubject, datetime] = {}

    async def find(self, request: ApprovalRequest) -> Warrant | None:
        """Return the approvals of a campaign that this is a part of; None where there is no such campaign."""
        if request.command_class is not CommandClass.FIRMWARE:
            return None
        now = self._real_now()
        try:
            subjects = good_firmware(await self._approvals(now), now=now)
        except ApprovalsUnavailableError as error:
            raise CommandUnavailableError(str(error)) from error
        for subject, ids in subjects.items():
            held = await self._of(subject, now)
            if (
                held is not None
                and request.title.octets in held.meters
                and is_step_of(request.plaintext, image_id=subject.image_id, image=held.image)
            ):
                return Warrant(ids, order_id=subject.campaign_id)
        return None

    async def spend(self, request: ApprovalRequest) -> Warrant | None:
        """As :meth:`find`: an image is many APDUs, some of them twice, so what ends an approval is its window."""
        return await self.find(request)

    async def _approvals(self, now: datetime) -> tuple[FirmwareApproval, ...]:
        if self._read is None or abs((now - self._read[0]).total_seconds()) >= BOOK_S:
            self._read = now, tuple(await self._book.firmware(now=now))
        return self._read[1]

    async def _of(self, subject: FirmwareSubject, now: datetime) -> _Held | None:
        held = self._held.get(subject)
        if held is None:
            self._mismatched = {
                s: at for s, at in self._mismatched.items() if abs((now - at).total_seconds()) < MISMATCH_S
            }
            if subject in self._mismatched:
                return None
            held = await self._fetched(subject)
            if held is None:
                self._mismatched[subject] = now
                return None
            self._held[subject] = held
            while len(self._held) > MAX_CAMPAIGNS:
                self._held.popitem(last=False)
        self._held.move_to_end(subject)
        return held

    async def _fetched(self, subject: FirmwareSubject) -> _Held | None:
        """Return what the store keeps of a subject; None where it is not what was approved."""
        meters = await self._store.meters(subject.campaign_id)
        if digest_of_meters(meters) != subject.meters_digest:
            return None
        image = await self._store.image(subject.image_digest)
        if image is None or sha256(image).digest() != subject.image_digest:
            return None
        return _Held(image, frozenset(title.octets for title in meters))


def is_step_of(plaintext: bytes, *, image_id: bytes, image: bytes) -> bool:
    """Tell whether a plain APDU is a step of the transfer of an image.

    Args:
        plaintext: the APDU before it is sealed.
        image_id: identifier of the image.
        image: its octets.
    """
    try:
        request = messages.decode(plaintext)
    except PeerError:
        return False
    if not isinstance(request, ActionRequest) or request.parameter is None:
        # Lists and pieces are how others might send it; our transfer needs neither.
        return False
    method, parameter = request.method, request.parameter
    if (method.class_id, method.instance) != (_IMAGE_CLASS, _IMAGE):
        return False
    if method.method in {_VERIFY, _ACTIVATE}:
        return parameter == Data(Tag.INTEGER, 0)
    first, second = parameter.elements if _is_pair(parameter) else (_NOTHING, _NOTHING)
    if method.method == _INITIATE:
        return (first.octets, second.integer) == (image_id, len(image))
    return method.method == _BLOCK and _is_block_of(image, first.integer, second.octets)


def _is_pair(parameter: Data) -> bool:
    return parameter.tag is Tag.STRUCTURE and len(parameter.elements) == 2


def _is_block_of(image: bytes, number: int | None, piece: bytes | None) -> bool:
    """Tell whether a piece is this block of an image, for the block size that its length implies."""
    if number is None or not piece or number < 0:
        return False
    start = number * len(piece)
    if image[start : start + len(piece)] == piece:
        return True
    # The last block is shorter: the size of the others is what is before it, divided among them.
    before = len(image) - len(piece)
    return number > 0 and before % number == 0 and before // number >= len(piece) and image[before:] == piece
