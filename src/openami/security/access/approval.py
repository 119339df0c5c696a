"""Approvals of firmware: what two people put their names to, and when that is good. Pure.

An approval names the campaign, the image, the meters and a window of real time, each by digest or value, and one
person. Two of them by different people, for exactly the same, are what the command process asks for; the one who plans
a campaign gives the first.

Source: DESIGN section 4 (Downlink); requirement R3.4 (two people for firmware).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from openami.kernel.errors import MisuseError, OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period

PEOPLE = 2
"""How many different people must have approved."""
DIGEST_OCTETS = 32
MAX_IMAGE_ID_OCTETS = 64


class ApprovalsUnavailableError(OpenAmiError):
    """The table of approvals does not answer now: try again."""


class ApprovalRefusedError(OpenAmiError):
    """An approval that cannot be given. The text says why."""


@dataclass(frozen=True, slots=True)
class FirmwareSubject:
    """What is approved.

    Args:
        campaign_id: the campaign.
        image_id: identifier of the image, as the meter shows it when it runs; 1 to 64 octets.
        image_digest: SHA-256 of the image as it goes out, 32 octets.
        meters_digest: see :func:`digest_of_meters`, 32 octets.
        window: real time in which it may be done.

    Raises:
        MisuseError: a digest or identifier that is none.
    """

    campaign_id: UUID
    image_id: bytes
    image_digest: bytes
    meters_digest: bytes
    window: Period

    def __post_init__(self) -> None:
        if {len(self.image_digest), len(self.meters_digest)} != {DIGEST_OCTETS}:
            raise MisuseError("the digests of an approval have 32 octets")
        if not 1 <= len(self.image_id) <= MAX_IMAGE_ID_OCTETS:
            raise MisuseError(f"an image identifier has 1 to {MAX_IMAGE_ID_OCTETS} octets")


@dataclass(frozen=True, slots=True)
class FirmwareApproval:
    """One person's approval.

    Args:
        approval_id: random; commands name it.
        subject: what is approved.
        user_id: who.
        made_at: real time.
        withdrawn_at: real time from which it is good no more; None while it is.
    """

    approval_id: UUID
    subject: FirmwareSubject
    user_id: UUID
    made_at: datetime
    withdrawn_at: datetime | None = None


class ApprovalBook(Protocol):
    """Reads approvals. Raises :class:`ApprovalsUnavailableError`."""

    async def firmware(self, *, now: datetime) -> Sequence[FirmwareApproval]:
        """Return the approvals whose window holds an instant (real time) and that nobody has withdrawn."""
        ...


def digest_of_meters(titles: Iterable[SystemTitle]) -> bytes:
    """Return SHA-256 over the system titles, each once, in rising order: the same list has the same digest."""
    return sha256(b"".join(sorted({title.octets for title in titles}))).digest()


def good_firmware(approvals: Iterable[FirmwareApproval], *, now: datetime) -> dict[FirmwareSubject, tuple[UUID, ...]]:
    """Return what enough different people have approved, with the ids of one approval of each.

    Args:
        approvals: any.
        now: real time.
    """
    by_subject: dict[FirmwareSubject, dict[UUID, UUID]] = defaultdict(dict)
    for one in approvals:
        if one.withdrawn_at is None and one.subject.window.holds(now):
            by_subject[one.subject].setdefault(one.user_id, one.approval_id)
    return {s: tuple(sorted(ids.values())) for s, ids in by_subject.items() if len(ids) >= PEOPLE}
