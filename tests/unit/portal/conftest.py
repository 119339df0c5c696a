"""The portal over fakes: two homes, everyone's session, an audit log in memory."""
# a fake takes what its port takes and uses what it needs

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import cast
from uuid import UUID

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from openami.billing.api import BillProof, CallAnswer, ReadingProof, Statement
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period
from openami.portal.application import create_app
from openami.portal.config import PortalConfig, Ports
from openami.portal.console_ports import WorklistQuery
from openami.portal.live import LiveHub
from openami.portal.ports import MeterFacts, Place, PricedIntervals, RefusedError, Series
from openami.portal.views.bill import BillSummaryView, BillView, MadeAgainView
from openami.portal.views.billing import (
    BlockedView,
    CorrectionKeptView,
    CorrectionPreviewView,
    CorrectionsView,
    CorrectionWish,
    DecideCorrection,
    HeldBillsView,
    HeldBillView,
)
from openami.portal.views.collector import CollectorReportView, CollectorsView, Whereabouts
from openami.portal.views.fleet import MeterReadView, MissingReadsView, ReadKind, ReadState, ServiceLevelsView
from openami.portal.views.gateway import GatewayView
from openami.portal.views.key import KeysView, LeakView, RetriedView
from openami.portal.views.own_read import EstimateNoticeView, OwnReadsView, TrueUpView
from openami.portal.views.radio import ExposureColumnsView, MeterRadioView
from openami.portal.views.rates import AdviceName, Assumed, BreakEvensView, RateAdviceView, RatesView, WishView
from openami.portal.views.readings import (
    CaseDetailView,
    CasesView,
    CaseView,
    Decide,
    DecisionName,
    DecisionStateName,
    DecisionsView,
    DecisionView,
    EffectView,
    KeptView,
    PreviewView,
    SeverityName,
    WhyView,
    WorkItemView,
    WorklistView,
)
from openami.portal.views.staff import (
    AttachedView,
    CompletenessView,
    DeadLettersView,
    FrameView,
    ProcessView,
    ReasonCountView,
    ServicePointHitView,
    UnassignedMeterView,
)
from openami.portal.views.switching import (
    AlertsView,
    ListTakenView,
    PlanSwitching,
    SwitchOrderDetailView,
    SwitchOrdersView,
    SwitchOrderView,
    SwitchProgress,
)
from openami.portal.views.two_person import TwoPersonOrderState, TwoPersonOrderView
from openami.portal.views.usage import BillSoFarView
from openami.security.access.account import LiveSession
from openami.security.access.gate import AuditUnavailableError, Gate
from openami.security.access.role import Grant, Principal, Role
from openami.security.access.scope import Scope
from openami.security.access.session import csrf_token
from openami.security.access.throttle import TooManyAttemptsError
from openami.security.audit.entry import AuditEntry
from openami.security.audit.head import SignedHead

NOW = datetime(2026, 11, 23, 18, 7, tzinfo=UTC)
MINE, OTHER, METER, BILL = (UUID(int=n) for n in (1, 2, 3, 4))
SINCE = NOW - timedelta(days=400)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass
class FakeUsage:
    """Readings of every interval to now, 100 Wh each, unless a test sets others."""

    zone: str = "America/Chicago"
    value: Callable[[np.ndarray], np.ndarray] = lambda start: np.full(len(start), 100)
    quality: dict[int, QualityState] = field(default_factory=dict)
    until: datetime = NOW - timedelta(minutes=7)
    fails: Exception | None = None
    asked: list[Period] = field(default_factory=list)

    async def intervals(self, scope: Scope, service_point_id: UUID, channel: Channel, period: Period) -> Series:
        scope.require(frozenset({service_point_id}))
        if self.fails:
            raise self.fails
        self.asked.append(period)
        first = -(-period.start_s // 900) * 900
        start = np.arange(first, min(period.end_s, int(self.until.timestamp())), 900, dtype=np.int64)
        quality = np.array([self.quality.get(int(s), QualityState.ACTUAL) for s in start], dtype=np.uint8)
        value = self.value(start).astype(np.int64)
        low = np.where(quality == QualityState.ESTIMATED, value - 10, value)
        high = np.where(quality == QualityState.ESTIMATED, value + 10, value)
        return Series(start, value, quality, low, high, np.zeros(len(start), np.bool_), 900)

    async def last_reading_end(self, scope: Scope, service_point_id: UUID) -> datetime | None:
        return self.until

    async def zone_of(self, service_point_id: UUID) -> str | None:
        return self.zone if service_point_id in {MINE, OTHER} else None


class FakeBills:
    """One bill at each place."""

    async def so_far(self, scope: Scope, service_point_id: UUID, now: datetime) -> BillSoFarView | None:
        return None

    async def bills(self, scope: Scope, service_point_id: UUID) -> Sequence[BillSummaryView]:
        return []

    async def true_ups(self, scope: Scope, service_point_id: UUID) -> Sequence[TrueUpView]:
        return []

    async def notices(self, scope: Scope, service_point_id: UUID) -> Sequence[EstimateNoticeView]:
        return []

    async def bill(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> BillView | None:
        return None

    async def statement(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> Statement | None:
        return None

    async def document(
        self, scope: Scope, service_point_id: UUID, bill_id: UUID, addressee: tuple[str, ...]
    ) -> bytes | None:
        return None

    async def answer(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> CallAnswer | None:
        return None

    async def proof(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> BillProof | None:
        return None

    async def readings(
        self, scope: Scope, service_point_id: UUID, bill_id: UUID, day: date
    ) -> Sequence[ReadingProof] | None:
        return None

    async def made_again(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> MadeAgainView | None:
        return None

    async def rate_name(self, service_point_id: UUID) -> str | None:
        return "Anytime"

    async def price(
        self,
        service_point_id: UUID,
        start_s: np.ndarray,
        value_wh: np.ndarray,
        *,
        interval_s: int,
    ) -> PricedIntervals | None:
        period = ((start_s // 3600) % 24 >= 12).astype(np.uint8)
        return PricedIntervals("USD", ("off-peak", "on-peak"), period, value_wh * 0.0001)


class FakeBilling:
    """One bill that waits, one place that is not billed, one cause."""

    async def held(self, principal: Principal, owner: str, bill_group: int | None) -> HeldBillsView:
        return HeldBillsView(bills=[HELD_BILL], counts=[], is_cut=False)

    async def place_of(self, bill_id: UUID) -> UUID | None:
        return OTHER

    async def release(self, principal: Principal, bill_id: UUID, reason: str) -> HeldBillView:
        return HELD_BILL

    async def not_billed(self, principal: Principal, service_point_id: UUID) -> BlockedView:
        return BlockedView(
            service_point_id=service_point_id, headline="Nothing waits.", since=None, owner="", action="",
            act="nothing", href=None, bill_id=None, can_release=False, waiting_days=0, waiting_amount=None, chain=[],
        )  # fmt: skip

    async def corrections(self, principal: Principal) -> CorrectionsView:
        return CorrectionsView(cases=[], decisions=[])

    async def preview(self, principal: Principal, wish: CorrectionWish) -> CorrectionPreviewView:
        return CorrectionPreviewView(words="", effect="", second=None, token="ab" * 32, places=[OTHER])

    async def decide(self, principal: Principal, wish: DecideCorrection) -> CorrectionKeptView:
        return CorrectionKeptView(decision_id=BILL, state="in_force", words="")

    async def places_of(self, decision_id: UUID) -> list[UUID]:
        return [OTHER]

    async def approve(self, principal: Principal, decision_id: UUID) -> CorrectionKeptView:
        return CorrectionKeptView(decision_id=decision_id, state="in_force", words="")


HELD_BILL = HeldBillView(
    bill_id=UUID(int=77), service_point_id=OTHER, first_day=date(2026, 10, 1), last_day=date(2026, 10, 31),
    bill_group=1, code="no_read", reason="no read", owner="field", since=1, age_days=3,
    action="take a read", can_release=False,
)  # fmt: skip
WISH = WishView(
    wish_id=BILL, rate_code="smart", rate_name="Smart", first_day=date(2026, 12, 1), asked_at=1, state="open", note=""
)


class FakeRates:
    """One rate, and a wish."""

    async def compared(self, scope: Scope, service_point_id: UUID, assumed: Assumed) -> RatesView:
        scope.require(frozenset({service_point_id}))
        advice = RateAdviceView(
            kind=AdviceName.NONE, rate_code=None, rate_name=None, saving="0.00", year=None, noise="0.00", reason=""
        )
        assumed_words = ["a vehicle"] if assumed.vehicle_kwh else []
        return RatesView(
            service_point_id=service_point_id, zone="America/Chicago", currency="USD", first_day=None, last_day=None,
            months=0, usage_wh=0, coverage=0, needed=0.95, estimated_share=0, left_out=[], unseen=[], present=None,
            advice=advice, rates=[], next_read=date(2026, 12, 1), assumptions=assumed_words, wish=None, protection=None,
        )  # fmt: skip

    async def break_even(self, scope: Scope, service_point_id: UUID) -> BreakEvensView:
        return BreakEvensView(currency="USD", days=0, break_evens=[])

    async def ask(self, scope: Scope, principal: Principal, service_point_id: UUID, rate_code: str) -> WishView:
        return WISH

    async def withdraw(self, scope: Scope, principal: Principal, service_point_id: UUID) -> WishView:
        return WISH


class FakeOwnReads:
    """Asks for a read, and takes every one."""

    async def reads(self, scope: Scope, service_point_id: UUID) -> OwnReadsView:
        scope.require(frozenset({service_point_id}))
        return OwnReadsView(service_point_id=service_point_id, meter="S-1", can_send=True, why="", reads=[])

    async def send(self, scope: Scope, principal: Principal, service_point_id: UUID, shown_kwh: str) -> OwnReadsView:
        return await self.reads(scope, service_point_id)


class FakeCustomers:
    async def name_of(self, session: LiveSession) -> str:
        return session.display_name or "Ada"

    async def places_of(self, principal: Principal) -> Sequence[Place]:
        return [
            Place(g.service_point_id, "Home", "1 Elm Street", g.period, is_open=True, has_received=False)
            for g in principal.grants
        ]


@dataclass
class FakeLog:
    """Audit writer and reader."""

    entries: list[AuditEntry] = field(default_factory=list)
    is_down: bool = False

    async def write(self, entry: AuditEntry) -> None:
        if self.is_down:
            raise AuditUnavailableError("down")
        self.entries.append(entry)

    async def who_looked(self, scope: Scope, service_point_id: UUID, *, limit: int) -> Sequence[AuditEntry]:
        scope.require(frozenset({service_point_id}))
        return [e for e in reversed(self.entries) if service_point_id in e.subjects][:limit]

    async def head(self) -> SignedHead | None:
        return None


@dataclass
class FakeSessions:
    """A session for each role, by its name as the cookie; ``wrong`` sign-ins and a full bucket by login."""

    sessions: dict[str, LiveSession] = field(default_factory=dict)
    touches: list[bool] = field(default_factory=list)

    async def sign_in(self, *, login: str, password: str, address: str) -> LiveSession | None:
        if login == "throttled":
            raise TooManyAttemptsError(7)
        return self.sessions.get(login) if password == "right" else None

    async def resume(self, secret: str, *, touch: bool = True) -> LiveSession | None:
        self.touches.append(touch)
        return self.sessions.get(secret)

    async def sign_out(self, secret: str) -> None:
        self.sessions.pop(secret, None)


HELD = "77-0"
"""A letter whose counter is held."""


class FakeOperations:
    async def completeness(self, period: Period) -> CompletenessView:
        return CompletenessView(hour=[0], cell=["A"], expected=[[4]], received=[[3]])

    async def frames(self, limit: int) -> Sequence[FrameView]:
        return []

    async def frame_rate(self) -> tuple[float, int]:
        return 1.5, 10

    async def dead_letter_counts(self) -> Sequence[ReasonCountView]:
        return [ReasonCountView(reason="replay", words="a frame that came before", count=2)]

    async def dead_letters(
        self, *, limit: int, before: str | None = None, system_title: str | None = None
    ) -> DeadLettersView:
        return DeadLettersView(letters=[], next_before=None)

    async def release_counter(self, letter_id: str, *, by: UUID, reason: str) -> None:
        if letter_id != HELD:
            raise RefusedError("This frame is not held for its counter, or somebody has released it already.")

    async def unassigned(self, limit: int) -> Sequence[UnassignedMeterView]:
        return []

    async def meters_installed(self) -> int:
        return 2

    async def meter(self, meter_id: UUID) -> MeterFacts | None:
        return MeterFacts(METER, "4f414d0000000001", "S1", "oam-1", (), None, None) if meter_id == METER else None

    async def search(self, wanted: str, *, limit: int) -> Sequence[ServicePointHitView]:
        return []

    async def attach(self, *, meter_id: UUID, service_point_id: UUID, installed_at: datetime) -> AttachedView:
        if meter_id != METER:
            raise RefusedError("the meter hangs elsewhere")
        return AttachedView(
            meter_id=meter_id,
            service_point_id=service_point_id,
            installed_at=int(installed_at.timestamp()),
            first_affected_day=None,
            affected_days=0,
        )

    async def processes(self) -> Sequence[ProcessView]:
        return []


@dataclass
class FakeFleet:
    """One meter that can be asked; what was asked is kept."""

    asked: list[tuple[UUID, ReadKind]] = field(default_factory=list)

    async def service_levels(self) -> ServiceLevelsView:
        return ServiceLevelsView(as_of=0, age_h=[1, 6, 24, 72], target=0.995, cells=[], unread=[])

    async def missing(self, meter_id: UUID, day: date | None) -> MissingReadsView | None:
        if meter_id != METER:
            return None
        return MissingReadsView(meter_id=meter_id, day="2026-11-23", expected=96, present=96, unknown=0, spans=[])

    async def ask(self, meter_id: UUID, kind: ReadKind) -> MeterReadView:
        self.asked.append((meter_id, kind))
        return (await self.reads(meter_id, limit=1))[0]

    async def reads(self, meter_id: UUID, *, limit: int) -> Sequence[MeterReadView]:
        return [
            MeterReadView(
                request_id=meter_id,
                kind=kind,
                state=ReadState.QUEUED,
                words="Waits for the radio.",
                asked_at=0,
                ended_at=None,
                took_s=None,
                values=[],
            )
            for asked, kind in reversed(self.asked)
            if asked == meter_id
        ][:limit]


class FakeRadios:
    """A place whose meter's radio is not known."""

    async def radio_at(self, scope: Scope, service_point_id: UUID) -> MeterRadioView:
        scope.require(frozenset({service_point_id}))
        nothing = ExposureColumnsView(
            while_sending_uw_cm2=[], while_sending_share=[], average_uw_cm2=[], average_share=[]
        )
        return MeterRadioView(
            service_point_id=service_point_id,
            serial=None,
            radios=[],
            window_s=1800,
            days=[],
            worst_window_s=None,
            distance_ft=[],
            reflected=nothing,
            plain=nothing,
            devices=[],
        )


class FakeCollectors:
    """No collector was ever heard."""

    async def collectors(self) -> CollectorsView:
        return CollectorsView(as_of=0, collectors=[], ended=[])

    async def report(
        self, user_id: UUID, collector_id: int, whereabouts: Whereabouts, *, at: int | None, reason: str
    ) -> CollectorReportView:
        return CollectorReportView(report_id=user_id, collector_id=collector_id, whereabouts=whereabouts, at=at or 0)


AN_ORDER = TwoPersonOrderView(
    order_id=UUID(int=77), kind="release", action="release 1 commands", reason="a storm is over", items=1,
    digest="ab" * 32, made_at=0, is_yours=True, window_from=0, window_to=9,
    state=TwoPersonOrderState.WAITING, words="Waits.", lapses_at=None, approvals=[], may_approve=False,
)  # fmt: skip


class FakeGateway:
    """A gateway that keeps nothing."""

    async def gateway(self, principal: Principal) -> GatewayView:
        return GatewayView(as_of=0, version=0, document=None, thresholds=[], held=[], orders=[], words=[])

    async def release(self, principal: Principal, held_ids: Sequence[UUID], *, reason: str) -> TwoPersonOrderView:
        return AN_ORDER

    async def propose(self, principal: Principal, document: str, *, reason: str) -> TwoPersonOrderView:
        return AN_ORDER

    async def approve(self, principal: Principal, order_id: UUID, *, digest: str) -> TwoPersonOrderView:
        return AN_ORDER

    async def withdraw(self, principal: Principal, order_id: UUID) -> None:
        return None


A_SWITCH = SwitchOrderView(
    order=AN_ORDER, progress=SwitchProgress.WAITS_FOR_APPROVAL, words="Waits.", people_needed=2, approved_by=1,
    is_list=True, switched=0, counts=[], longest_s=None,
)  # fmt: skip


class FakeSwitching:
    """One order that waits for another person."""

    async def orders(self, principal: Principal) -> SwitchOrdersView:
        return SwitchOrdersView(orders=[A_SWITCH])

    async def order(self, principal: Principal, order_id: UUID) -> SwitchOrderDetailView:
        return SwitchOrderDetailView(order=A_SWITCH, each=[])

    async def plan(self, principal: Principal, wish: PlanSwitching) -> SwitchOrderView:
        return A_SWITCH

    async def take(self, principal: Principal, text: str) -> ListTakenView:
        return ListTakenView(order=A_SWITCH, paid=0)

    async def approve(self, principal: Principal, order_id: UUID, digest: str) -> SwitchOrderView:
        return A_SWITCH

    async def withdraw(self, principal: Principal, order_id: UUID) -> None:
        return None

    async def alerts(self) -> AlertsView:
        return AlertsView(alerts=[])

    async def seen(self, principal: Principal, alert_id: UUID) -> None:
        return None


A_PREVIEW = PreviewView(
    words="accept 1 intervals at 1 place",
    sentence="1 days of 1 places get another version.",
    effect=EffectView(service_points=1, days=1, up_wh=0, down_wh=0, moved_wh=0, settled=1, raised=0),
    second_person=None,
    changes=[],
    token="ab" * 32,
)
KEPT = KeptView(decision_id=METER, state=DecisionStateName.IN_FORCE, words="It is in force.")
A_DECISION = DecisionView(
    decision_id=METER, kind=DecisionName.ACCEPT, state=DecisionStateName.WAITING, words="accept", reason="true",
    spans=1, places=[OTHER], at=0, is_yours=False, effect="", case_id=None, order=None,
)  # fmt: skip
A_CASE = CaseView(
    case_id=METER, title="missing: cell C-1", cause="cell", value="C-1", rule="missing", evidence="", next_best="",
    findings=1, open_items=1, stake_wh=0, first=date(2026, 11, 1), last=date(2026, 11, 1), fix=None, fix_words="",
    opened_at=0, closed_at=None, closed_reason=None, decision_id=None,
)  # fmt: skip


@dataclass
class FakeReadings:
    """One item of the other home, one case, one decision that waits."""

    asked: list[WorklistQuery] = field(default_factory=list)
    refuses: str = ""
    places: frozenset[UUID] = frozenset({OTHER})

    async def places_of_case(self, case_id: UUID) -> frozenset[UUID]:
        return self.places

    async def places_of_decision(self, decision_id: UUID) -> frozenset[UUID]:
        return self.places

    async def worklist(self, asked: WorklistQuery) -> WorklistView:
        self.asked.append(asked)
        item = WorkItemView(
            service_point_id=OTHER, channel="delivered", rule="spike", severity=SeverityName.FAIL,
            first=date(2026, 11, 1), last=date(2026, 11, 1), findings=1, bill_on=date(2026, 12, 1), is_billed=False,
            stake_wh=1, dollars="0.00", words="", cell="", transformer="", case_id=None,
        )  # fmt: skip
        return WorklistView(items=[item], total=1, findings=1, cases=1, rules=[])

    async def preview(self, principal: Principal, wish: Decide) -> PreviewView:
        if self.refuses:
            raise RefusedError(self.refuses)
        return A_PREVIEW

    async def decide(self, principal: Principal, wish: Decide) -> KeptView:
        if wish.token != A_PREVIEW.token:
            raise RefusedError("readings have changed since the preview: look at it again")
        return KEPT

    async def decisions(self, principal: Principal, service_point_id: UUID | None, *, state: str) -> DecisionsView:
        return DecisionsView(decisions=[A_DECISION])

    async def approve(self, principal: Principal, decision_id: UUID, digest: str) -> DecisionView:
        return A_DECISION

    async def withdraw(self, principal: Principal, decision_id: UUID) -> None:
        return None

    async def preview_undo(self, principal: Principal, decision_id: UUID) -> PreviewView:
        return A_PREVIEW

    async def undo(self, principal: Principal, decision_id: UUID, *, reason: str, token: str) -> KeptView:
        return KEPT

    async def cases(self, *, is_open: bool) -> CasesView:
        return CasesView(cases=[A_CASE])

    async def case(self, case_id: UUID) -> CaseDetailView:
        return CaseDetailView(case=A_CASE, items=[])

    async def preview_case(self, principal: Principal, case_id: UUID) -> PreviewView:
        return A_PREVIEW

    async def fix_case(self, principal: Principal, case_id: UUID, *, reason: str, token: str) -> KeptView:
        return KEPT

    async def close_case(self, principal: Principal, case_id: UUID, *, reason: str) -> None:
        return None

    async def why(self, principal: Principal, service_point_id: UUID, channel: str, day: date | None) -> WhyView:
        return WhyView(
            service_point_id=service_point_id, zone="America/Chicago", channel=channel, headline="", since=None,
            action=None, chain=[], days=[], findings=[], decisions=[], local_day=date(2026, 11, 1), intervals=[],
        )  # fmt: skip


class FakeKeys:
    """A vault without meters."""

    async def keys(self, principal: Principal) -> KeysView:
        return KeysView(
            as_of=0, meters=0, levels=[], without_master=0, oldest_active_at=None, left_to_rewrap=0, spoiled=0,
            is_ordered=False, per_hour=0, causes=[], left_over=[], incidents=[], residual=[], worst=[], orders=[],
        )  # fmt: skip

    async def order(
        self, principal: Principal, system_titles: Sequence[str] | None, *, days: float, reason: str
    ) -> TwoPersonOrderView:
        return AN_ORDER

    async def approve(self, principal: Principal, order_id: UUID, *, digest: str) -> TwoPersonOrderView:
        return AN_ORDER

    async def withdraw(self, principal: Principal, order_id: UUID) -> None:
        return None

    async def retry(self, principal: Principal, system_title: str | None) -> RetriedView:
        return RetriedView(jobs=0)

    async def leak(self, principal: Principal, system_titles: Sequence[str], *, masters: bool, reason: str) -> LeakView:
        return LeakView(incident_id=METER, meters=len(system_titles))


@dataclass
class Portal:
    app: FastAPI
    usage: FakeUsage
    log: FakeLog
    sessions: FakeSessions
    hub: LiveHub
    operations: FakeOperations
    fleet: FakeFleet
    readings: FakeReadings

    def client(self, role: Role | None = None, **headers: str) -> httpx.AsyncClient:
        cookies = {"openami_session": role.value} if role else {}
        if role:
            headers.setdefault("X-CSRF-Token", csrf_token(role.value))
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://portal", cookies=cookies, headers=headers)


def session(role: Role, grants: tuple[Grant, ...] = ()) -> LiveSession:
    principal = Principal(UUID(int=1000 + list(Role).index(role)), frozenset({role}), grants)
    return LiveSession(role.value, csrf_token(role.value), principal, NOW + timedelta(hours=12), 900, role.value)


@pytest.fixture
def portal() -> Portal:
    sessions = {r.value: session(r) for r in Role}
    sessions[Role.CUSTOMER.value] = session(Role.CUSTOMER, (Grant(MINE, Period(SINCE, FOREVER)),))
    usage, log, hub, fake_sessions = FakeUsage(), FakeLog(), LiveHub(), FakeSessions(sessions)
    clock, operations, fleet, readings = FixedClock(NOW), FakeOperations(), FakeFleet(), FakeReadings()
    ports = Ports(
        sessions=fake_sessions,
        gate=Gate(log, clock, clock),
        usage=usage,
        bills=FakeBills(),
        billing=FakeBilling(),
        rates=FakeRates(),
        own_reads=FakeOwnReads(),
        customers=FakeCustomers(),
        access_log=log,
        operations=operations,
        fleet=fleet,
        radios=FakeRadios(),
        collectors=FakeCollectors(),
        gateway=FakeGateway(),
        keys=FakeKeys(),
        switching=FakeSwitching(),
        readings=readings,
        live=hub,
        real=clock,
        domain=clock,
    )
    return Portal(_app_over(ports), usage, log, fake_sessions, hub, operations, fleet, readings)


@cache
def _built() -> FastAPI:
    """Return the application, built once: routes and their models take a tenth of a second each time."""
    return create_app(PortalConfig(zone="America/Chicago"), cast("Ports", None))


def _app_over(ports: Ports) -> FastAPI:
    app = _built()
    app.state.ports = ports
    # Turns are counted by person in the application, and a test's clock stands: each test has its own.
    app.state.turns = None
    return app
