"""What a rollout asks of the world around it, and a campaign as its tables tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from openami.headend.keeping.campaign import CampaignMeter, CampaignPlan, CampaignState, WaveStanding
from openami.headend.state_ports import Lease
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period


@dataclass(frozen=True, slots=True)
class CampaignHead:
    """A campaign without its meters.

    Args:
        plan: how it goes.
        image_id: identifier of the image.
        image_digest: SHA-256 of its octets.
        window: real time in which it may go.
        state: of the campaign.
        words: how it stands, for people.
        standings: of its waves, in order.
        made_at_s: real time.
    """

    plan: CampaignPlan
    image_id: bytes
    image_digest: bytes
    window: Period
    state: CampaignState
    words: str
    standings: tuple[WaveStanding, ...]
    made_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A meter and the name that it is spoken to by."""

    title: SystemTitle
    meter: CampaignMeter


class CampaignStore(Protocol):
    """Campaigns and their meters, kept so that whoever owns a group next goes on where the last owner stood.

    Every method raises :class:`openami.headend.ports.StateUnavailableError` when the database cannot be reached.
    """

    async def running(self) -> list[CampaignHead]:
        """Return the campaigns that run."""
        ...

    async def due(
        self, campaign_id: UUID, *, wave: int, partitions: frozenset[int], now_s: float, limit: int
    ) -> list[Turn]:
        """Return meters of a wave that have not ended and whose turn it is, those that have begun first."""
        ...

    async def image(self, digest: bytes) -> bytes | None:
        """Return an image; None where it is not kept."""
        ...

    async def keep(self, lease: Lease, campaign_id: UUID, meter: CampaignMeter) -> None:
        """Keep where a meter stands, and end or abort its campaign where that is what it comes to.

        Raises:
            LostLeaseError: the fence is not this lease's any more; nothing was written.
        """
        ...

    async def say(self, campaign_id: UUID, words: str) -> None:
        """Keep how a running campaign stands, for people."""
        ...


class FirmwareWatch(Protocol):
    """Where people see a campaign; the face of the same tables for the command line."""

    async def heads(self) -> Sequence[CampaignHead]:
        """Return every campaign, the newest first."""
        ...
