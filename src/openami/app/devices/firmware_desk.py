"""Where people plan, approve and steer firmware campaigns: each act under a person's own sign-in and in the audit log.

Whoever plans a campaign gives the first of its two approvals; another person gives the second. Nobody's word is taken
for who they are: every act signs in, is decided by the table of roles, is written down, and only then happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID, uuid4

from openami.app.devices.fleet_roster import RegistryRoster
from openami.app.devices.shipment import root_key
from openami.app.engines.rooms import room_database
from openami.app.people.desk import Act, acting
from openami.app.people.desk import Person as Person  # noqa: PLC0414 - callers of the desk say who acts
from openami.app.settings import Settings, real_now
from openami.headend.adapters.campaigns_postgres import PostgresCampaigns
from openami.headend.keeping.campaign import CampaignPlan, CampaignState, assigned_waves
from openami.headend.session.rollout_ports import CampaignHead, Turn
from openami.kernel.errors import MisuseError, OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.security.access.approval import FirmwareApproval, FirmwareSubject, digest_of_meters
from openami.security.access.policy import Kind
from openami.security.access.role import Principal
from openami.security.adapters.approval_postgres import PostgresApprovals
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.suites.curve import verify_signature
from openami.security.suites.errors import SuiteError

SIGNATURE_OCTETS = 64
MAX_IMAGE_OCTETS = 16 * 1024 * 1024
"""Far above the firmware of any meter; the table takes no more."""
REST = "rest"


class FirmwareRefusedError(OpenAmiError):
    """A firmware act that is refused. The text says why."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which meters: all that fit every given word.

    Args:
        profile: meter profile; empty for any.
        cell: radio cell; empty for any.
        titles: system titles; None for any.
    """

    profile: str = ""
    cell: str = ""
    titles: frozenset[SystemTitle] | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new campaign shall be.

    Args:
        image_id: identifier of the image, as a meter shows it.
        image: content and signature.
        choice: which meters.
        waves: sizes of the waves, see :func:`shares_of`.
        abort_share: of a wave; more failures abort the campaign.
        watch_s: real time between waves [s].
        window: real time in which it may go.
        first_pause_s: pause after silence [s].
    """

    image_id: bytes
    image: bytes = field(repr=False)
    choice: Choice
    waves: str
    abort_share: float
    watch_s: float
    window: Period
    first_pause_s: float = 300.0


def check_image(image_id: bytes, image: bytes, maker_key: bytes) -> None:
    """Refuse an image that its maker has not signed.

    Args:
        image_id: identifier.
        image: content and, last, the maker's signature over identifier and content (ECDSA, P-256, SHA-256).
        maker_key: the maker's public key, ``X || Y``, 64 octets.

    Raises:
        FirmwareRefusedError: it is not signed, or the key is none.
    """
    if not SIGNATURE_OCTETS < len(image) <= MAX_IMAGE_OCTETS:
        raise FirmwareRefusedError(f"an image of {len(image)} octets is none: it has a signature of 64 and a content")
    content, signature = image[:-SIGNATURE_OCTETS], image[-SIGNATURE_OCTETS:]
    try:
        is_signed = verify_signature(maker_key, image_id + content, signature)
    except SuiteError as error:
        raise FirmwareRefusedError("the maker's public key is no point of the curve P-256") from error
    if not is_signed:
        name = image_id.decode("ascii", "replace")
        raise FirmwareRefusedError(f"the image is not signed by its maker as {name}: nothing goes out")


def shares_of(waves: str, meters: int) -> tuple[float, ...]:
    """Return cumulative shares of waves.

    Args:
        waves: sizes with commas between: a number of meters, a share of all as ``10%``, or ``rest`` at the end.
        meters: of the campaign, 1 or more.

    Raises:
        MisuseError: not such a list.

    >>> shares_of("1,10%,rest", 20)
    (0.05, 0.15, 1.0)
    """
    *sizes, last = [part.strip() for part in waves.split(",")]
    if last != REST:
        raise MisuseError(f"waves {waves!r}: the last is {REST!r}, so that no meter is forgotten")
    ends, end = [], 0.0
    for size in sizes:
        number = size.removesuffix("%")
        if not number.isdecimal() or not 1 <= int(number) <= 10**6:
            raise MisuseError(f"wave {size!r} is no number of meters and no share such as 10%")
        end += int(number) * meters / 100 if size.endswith("%") else int(number)
        if end >= meters:
            break
        ends.append(max(1.0, end) / meters)
    return (*sorted(set(ends)), 1.0)


class FirmwareDesk:
    """Acts of people on firmware campaigns of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def plan(self, person: Person, wish: Wish, *, note: str = "") -> UUID:
        """Keep a new campaign with the first approval, the planner's own, and return its id.

        Raises:
            FirmwareRefusedError: no meter fits.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: the gate's.
            CampaignRefusedError: a meter is in another open campaign.
        """
        meters = await self._chosen(wish.choice)
        if not meters:
            raise FirmwareRefusedError("no meter with keys fits what was asked for")
        plan = CampaignPlan(
            uuid4(),
            wave_shares=shares_of(wish.waves, len(meters)),
            abort_share=wish.abort_share,
            abort_least=1,
            watch_s=wish.watch_s,
            first_pause_s=wish.first_pause_s,
        )
        titles = dict(meters)
        turns = [Turn(titles[m.meter_id], m) for m in assigned_waves(plan, titles)]
        digest = sha256(wish.image).digest()
        # In whole seconds, as the tables keep it: both approvals must name the same window.
        window = Period(instant_from_epoch_s(wish.window.start_s), instant_from_epoch_s(wish.window.end_s))
        head = CampaignHead(
            plan, wish.image_id, digest, window, CampaignState.RUNNING, "waits for approval by a second person",
            (), real_now().timestamp(),
        )  # fmt: skip
        subject = subject_of(head, turns)
        async with acting(
            self._settings, person, Act(Kind.FIRMWARE, "firmware.plan", f"{_told(subject)}; {note}")
        ) as principal:
            async with room_database(self._settings, "openami_headend") as engine:
                await PostgresCampaigns(engine).add(head, wish.image, turns)
            await self._give(subject, principal)
        return plan.campaign_id

    async def approve(self, person: Person, campaign_id: UUID, *, image: bytes | None = None) -> FirmwareSubject:
        """Give a person's approval to a campaign as it stands in the tables, and return what was approved.

        Args:
            person: not the one who planned.
            campaign_id: the campaign.
            image: the person's own copy of the image, which must be the same; None where there is none.

        Raises:
            FirmwareRefusedError: the image is another, or the campaign has ended.
            ApprovalRefusedError: this person has approved before.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError, CampaignRefusedError: as :meth:`plan`.
        """
        async with room_database(self._settings, "openami_headend") as engine:
            campaigns = PostgresCampaigns(engine)
            head = await campaigns.head(campaign_id)
            subject = subject_of(head, await campaigns.meters(campaign_id))
        if head.state not in {CampaignState.RUNNING, CampaignState.PAUSED}:
            raise FirmwareRefusedError(f"a campaign that is {head.state.value} needs no approval")
        if image is not None and sha256(image).digest() != head.image_digest:
            raise FirmwareRefusedError("the image given is not the image of the campaign")
        async with acting(self._settings, person, Act(Kind.FIRMWARE, "firmware.approve", _told(subject))) as principal:
            await self._give(subject, principal)
        return subject

    async def change(self, person: Person, campaign_id: UUID, state: CampaignState) -> None:
        """Pause, resume or abort a campaign; an aborted one's approvals are withdrawn.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError, CampaignRefusedError: as :meth:`plan`.
        """
        async with acting(
            self._settings, person, Act(Kind.FIRMWARE, f"firmware.{state.value}", f"campaign {campaign_id}")
        ):
            async with room_database(self._settings, "openami_headend") as engine:
                words = "" if state is CampaignState.RUNNING else f"{state.value} by a person"
                await PostgresCampaigns(engine).change(campaign_id, state, words)
            if state is CampaignState.ABORTED:
                async with room_database(self._settings, "openami_access") as engine:
                    await PostgresApprovals(engine).withdraw(campaign_id, at=real_now())

    async def heads(self) -> Sequence[CampaignHead]:
        """Return every campaign, the newest first."""
        async with room_database(self._settings, "openami_headend") as engine:
            return await PostgresCampaigns(engine).heads()

    async def one(self, campaign_id: UUID) -> tuple[CampaignHead, list[Turn], int]:
        """Return a campaign, its meters, and how many people have approved it.

        Raises:
            CampaignRefusedError: there is none of this id.
        """
        async with room_database(self._settings, "openami_headend") as engine:
            campaigns = PostgresCampaigns(engine)
            head, meters = await campaigns.head(campaign_id), await campaigns.meters(campaign_id)
            approvals = await PostgresApprovals(engine).of_campaign(campaign_id)
        return head, meters, len({a.user_id for a in approvals if a.withdrawn_at is None})

    async def _give(self, subject: FirmwareSubject, principal: Principal) -> None:
        async with room_database(self._settings, "openami_access") as engine:
            approval = FirmwareApproval(uuid4(), subject, principal.user_id, real_now())
            await PostgresApprovals(engine).give(approval)

    async def _chosen(self, choice: Choice) -> list[tuple[UUID, SystemTitle]]:
        settings = self._settings
        async with room_database(settings, "openami_security") as engine:
            shipped = await PostgresVault(engine, root_key(settings)).meters()
        unknown = (choice.titles or frozenset()) - {m.system_title for m in shipped}
        if unknown:
            raise FirmwareRefusedError(f"{len(unknown)} meters have no keys here, {min(unknown)} among them")
        found = [m for m in shipped if choice.titles is None or m.system_title in choice.titles]
        if choice.profile:
            found = [m for m in found if m.profile == choice.profile]
        if choice.cell:
            async with room_database(settings, "openami_mdm") as engine:
                roster = await RegistryRoster(
                    PostgresRegistry(engine), settings.clock(), monotonic=lambda: 0.0
                ).roster()
            in_cell = {h.title for h in roster.hung if h.removed_s is None and h.cell == choice.cell}
            found = [m for m in found if m.system_title in in_cell]
        return [(m.meter_id, m.system_title) for m in found]


def subject_of(head: CampaignHead, meters: Sequence[Turn]) -> FirmwareSubject:
    """Return what an approval of a campaign is for."""
    digest = digest_of_meters(one.title for one in meters)
    return FirmwareSubject(head.plan.campaign_id, head.image_id, head.image_digest, digest, head.window)


def _told(subject: FirmwareSubject) -> str:
    return (
        f"campaign {subject.campaign_id}, image {subject.image_id.decode('ascii', 'replace')} "
        f"{subject.image_digest.hex()}, meters {subject.meters_digest.hex()}, "
        f"{subject.window.start.isoformat()} to {subject.window.end.isoformat()}"
    )
