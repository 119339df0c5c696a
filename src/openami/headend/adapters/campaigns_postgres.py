"""Firmware campaigns in PostgreSQL, schema ``headend``; a meter's step is fenced by the lease and judged with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.contracts.stream import partition_of
from openami.headend.adapters.requests_postgres import transaction
from openami.headend.keeping.campaign import CampaignMeter, CampaignPlan, CampaignState, MeterStep, WaveStanding, judged
from openami.headend.ports import LostLeaseError
from openami.headend.session.rollout_ports import CampaignHead, Turn
from openami.headend.state_ports import Lease
from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period, instant_from_epoch_s

_HEADS = "select campaign_id, image_id, image_digest, document, state, words, made_at_s from headend.campaign"
_RUNNING = text(_HEADS + " where state = 'running' order by made_at_s, campaign_id")
_ALL = text(_HEADS + " order by made_at_s desc, campaign_id limit 1000")
_ONE = text(_HEADS + " where campaign_id = :campaign_id")
_LOCKED = text(_HEADS + " where campaign_id = :campaign_id for update")
_STANDINGS = text("""
    select campaign_id, wave, count(*) as meters, count(*) filter (where state in ('confirmed', 'failed')) as ended,
           count(*) filter (where state = 'failed') as failed, max(changed_at_s) as changed_at_s
    from headend.campaign_meter where campaign_id = any(:campaigns) group by campaign_id, wave order by wave
""")
_METERS = """
    select meter_id, system_title, wave, state, next_block, tries, not_before_s, changed_at_s, words
    from headend.campaign_meter where campaign_id = :campaign_id
"""
_DUE = text(
    _METERS + " and wave = :wave and partition = any(:partitions) and state not in ('confirmed', 'failed') "
    "and not_before_s <= :now order by state = 'waiting', meter_id limit :limit"
)
_EVERY = text(_METERS + " order by wave, meter_id")
_IMAGE = text("select octets from headend.firmware_image where image_digest = :digest")
_HOLD = text("select from headend.partition_group where group_no = :group and fence = :fence for share")
_KEEP = text("""
    update headend.campaign_meter set state = :state, next_block = :next_block, tries = :tries,
        not_before_s = :not_before_s, changed_at_s = :changed_at_s, words = :words
    where campaign_id = :campaign_id and meter_id = :meter_id and state not in ('confirmed', 'failed')
""")
_STATE = text("update headend.campaign set state = :state, words = :words where campaign_id = :campaign_id")
_SAY = text("update headend.campaign set words = :words where campaign_id = :campaign_id and state = 'running'")
_ADD_IMAGE = text("""
    insert into headend.firmware_image (image_digest, octets, made_at_s) values (:digest, :octets, :at)
    on conflict (image_digest) do nothing
""")
_ADD = text("""
    insert into headend.campaign (campaign_id, image_id, image_digest, document, state, words, made_at_s)
    values (:campaign_id, :image_id, :digest, cast(:document as jsonb), 'running', :words, :at)
""")
_ADD_METER = text("""
    insert into headend.campaign_meter (campaign_id, meter_id, wave, state, system_title, partition)
    values (:campaign_id, :meter_id, :wave, :state, :title, :partition)
""")
_TAKEN = text("""
    select m.meter_id from headend.campaign_meter m join headend.campaign c using (campaign_id)
    where m.meter_id = any(:meters) and m.state not in ('confirmed', 'failed')
      and c.state in ('planned', 'running', 'paused') limit 1
""")
_MAY_BECOME = {
    CampaignState.RUNNING: frozenset({CampaignState.PAUSED, CampaignState.ABORTED}),
    CampaignState.PAUSED: frozenset({CampaignState.RUNNING, CampaignState.ABORTED}),
}
"""What people may do; the rest happens by itself."""


class CampaignRefusedError(OpenAmiError):
    """A campaign that cannot be, or cannot be changed so. The text says why."""


class PostgresCampaigns:
    """A :class:`~openami.headend.session.rollout_ports.CampaignStore`, and what the command line does with campaigns.

    Args:
        engine: connected as ``openami_headend``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def running(self) -> list[CampaignHead]:
        """Return the campaigns that run."""
        return await self._heads(_RUNNING, {})

    async def heads(self) -> Sequence[CampaignHead]:
        """Return every campaign, the newest first."""
        return await self._heads(_ALL, {})

    async def head(self, campaign_id: UUID) -> CampaignHead:
        """Return one campaign.

        Raises:
            CampaignRefusedError: there is none of this id.
        """
        found = await self._heads(_ONE, {"campaign_id": campaign_id})
        if not found:
            raise CampaignRefusedError(f"there is no campaign {campaign_id}")
        return found[0]

    async def due(
        self, campaign_id: UUID, *, wave: int, partitions: frozenset[int], now_s: float, limit: int
    ) -> list[Turn]:
        """Return meters of a wave whose turn it is."""
        values = {
            "campaign_id": campaign_id, "wave": wave, "partitions": sorted(partitions), "now": now_s, "limit": limit,
        }  # fmt: skip
        async with transaction(self._engine) as connection:
            return [_turn_of(row) for row in (await connection.execute(_DUE, values)).all()]

    async def meters(self, campaign_id: UUID) -> list[Turn]:
        """Return every meter of a campaign by wave."""
        async with transaction(self._engine) as connection:
            return [_turn_of(row) for row in (await connection.execute(_EVERY, {"campaign_id": campaign_id})).all()]

    async def image(self, digest: bytes) -> bytes | None:
        """Return an image."""
        async with transaction(self._engine) as connection:
            octets = (await connection.execute(_IMAGE, {"digest": digest})).scalar_one_or_none()
        return bytes(octets) if octets is not None else None

    async def keep(self, lease: Lease, campaign_id: UUID, meter: CampaignMeter) -> None:
        """Keep where a meter stands, and judge its campaign."""
        async with transaction(self._engine) as connection:
            if (await connection.execute(_HOLD, {"group": lease.group, "fence": lease.fence})).first() is None:
                raise LostLeaseError(f"group {lease.group}: fence {lease.fence} has passed")
            # One after another: of two last meters each would otherwise find the other still under way.
            row = (await connection.execute(_LOCKED, {"campaign_id": campaign_id})).one()
            await connection.execute(_KEEP, _row_of(campaign_id, meter))
            head = await _with_standings(connection, [row])
            if head[0].state is CampaignState.RUNNING:
                state, words = judged(head[0].plan, head[0].standings)
                if state is not CampaignState.RUNNING:
                    values = {"campaign_id": campaign_id, "state": state.value, "words": words}
                    await connection.execute(_STATE, values)

    async def say(self, campaign_id: UUID, words: str) -> None:
        """Keep how a running campaign stands."""
        async with transaction(self._engine) as connection:
            await connection.execute(_SAY, {"campaign_id": campaign_id, "words": words})

    async def add(self, head: CampaignHead, image: bytes, meters: Sequence[Turn]) -> None:
        """Keep a new campaign, with its image and meters, whole or not at all. It waits for approval.

        Raises:
            CampaignRefusedError: a meter is in another campaign that has not ended, or the id is not new.
        """
        plan = head.plan
        async with transaction(self._engine) as connection:
            ids = [one.meter.meter_id for one in meters]
            if (taken := (await connection.execute(_TAKEN, {"meters": ids})).scalar_one_or_none()) is not None:
                raise CampaignRefusedError(f"meter {taken} is in another campaign that has not ended")
            digest, at = sha256(image).digest(), int(head.made_at_s)
            await connection.execute(_ADD_IMAGE, {"digest": digest, "octets": image, "at": at})
            row = {
                "campaign_id": plan.campaign_id, "image_id": head.image_id, "digest": digest, "at": at,
                "document": json.dumps(_document(plan, head.window)), "words": head.words,
            }  # fmt: skip
            try:
                await connection.execute(_ADD, row)
            except IntegrityError as error:
                raise CampaignRefusedError(f"there is a campaign {plan.campaign_id} already") from error
            await connection.execute(
                _ADD_METER,
                [
                    {
                        "campaign_id": plan.campaign_id, "meter_id": one.meter.meter_id, "wave": one.meter.wave,
                        "state": one.meter.step.value, "title": one.title.octets, "partition": partition_of(one.title),
                    }
                    for one in meters
                ],
            )  # fmt: skip

    async def change(self, campaign_id: UUID, state: CampaignState, words: str) -> None:
        """Pause, resume or abort a campaign. Sessions under way end.

        Raises:
            CampaignRefusedError: there is no such campaign, or it has ended.
        """
        async with transaction(self._engine) as connection:
            row = (await connection.execute(_LOCKED, {"campaign_id": campaign_id})).one_or_none()
            if row is None:
                raise CampaignRefusedError(f"there is no campaign {campaign_id}")
            if state not in _MAY_BECOME.get(CampaignState(row.state), frozenset()):
                raise CampaignRefusedError(f"a campaign that is {row.state} cannot become {state.value}")
            await connection.execute(_STATE, {"campaign_id": campaign_id, "state": state.value, "words": words})

    async def _heads(self, query: Any, values: dict[str, Any]) -> list[CampaignHead]:
        async with transaction(self._engine) as connection:
            return await _with_standings(connection, (await connection.execute(query, values)).all())


async def _with_standings(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[CampaignHead]:
    if not rows:
        return []
    by_campaign: dict[UUID, list[WaveStanding]] = {}
    for one in (await connection.execute(_STANDINGS, {"campaigns": [row.campaign_id for row in rows]})).all():
        standing = WaveStanding(one.wave, one.meters, one.ended, one.failed, one.changed_at_s)
        by_campaign.setdefault(one.campaign_id, []).append(standing)
    return [
        CampaignHead(
            *_of_document(row.campaign_id, bytes(row.image_id), bytes(row.image_digest), row.document),
            CampaignState(row.state),
            row.words,
            tuple(by_campaign.get(row.campaign_id, ())),
            row.made_at_s,
        )
        for row in rows
    ]


def _document(plan: CampaignPlan, window: Period) -> dict[str, Any]:
    return {
        "wave_shares": list(plan.wave_shares),
        "abort_share": plan.abort_share,
        "abort_least": plan.abort_least,
        "watch_s": plan.watch_s,
        "at_once": plan.at_once,
        "first_pause_s": plan.first_pause_s,
        "from_s": window.start_s,
        "to_s": window.end_s,
    }


def _of_document(
    campaign_id: UUID, image_id: bytes, digest: bytes, document: dict[str, Any]
) -> tuple[CampaignPlan, bytes, bytes, Period]:
    plan = CampaignPlan(
        campaign_id,
        wave_shares=tuple(document["wave_shares"]),
        abort_share=document["abort_share"],
        abort_least=document["abort_least"],
        watch_s=document["watch_s"],
        at_once=document["at_once"],
        first_pause_s=document["first_pause_s"],
    )
    window = Period(instant_from_epoch_s(document["from_s"]), instant_from_epoch_s(document["to_s"]))
    return plan, image_id, digest, window


def _turn_of(row: Row[Any]) -> Turn:
    meter = CampaignMeter(
        row.meter_id, row.wave, MeterStep(row.state), row.next_block, row.tries, row.not_before_s, row.changed_at_s,
        row.words,
    )  # fmt: skip
    return Turn(SystemTitle(bytes(row.system_title)), meter)


def _row_of(campaign_id: UUID, meter: CampaignMeter) -> dict[str, Any]:
    return {
        "campaign_id": campaign_id,
        "meter_id": meter.meter_id,
        "state": meter.step.value,
        "next_block": meter.next_block,
        "tries": meter.tries,
        "not_before_s": meter.not_before_s,
        "changed_at_s": meter.changed_at_s,
        "words": meter.words,
    }
