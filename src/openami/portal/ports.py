"""What the portal needs from the rooms. The wiring fills each port; where the portal adds nothing, a port speaks views.

Every method may raise :class:`SourceUnavailableError`; the page then says so instead of showing half a truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt

from openami.billing.api import BillProof, CallAnswer, ReadingProof, Statement
from openami.contracts.channel import Channel
from openami.contracts.quality import Method
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.portal.views.bill import BillSummaryView, BillView, MadeAgainView
from openami.portal.views.fleet import MeterReadView, MissingReadsView, ReadKind, ServiceLevelsView
from openami.portal.views.own_read import EstimateNoticeView, TrueUpView
from openami.portal.views.radio import MeterRadioView
from openami.portal.views.staff import (
    AttachedView,
    CompletenessView,
    DeadLettersView,
    FrameView,
    InstallationView,
    ProcessView,
    ReasonCountView,
    ServicePointHitView,
    UnassignedMeterView,
)
from openami.portal.views.usage import BillSoFarView
from openami.security.access.account import LiveSession
from openami.security.access.role import Principal
from openami.security.access.scope import Scope
from openami.security.audit.entry import AuditEntry
from openami.security.audit.head import SignedHead

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]


class SourceUnavailableError(OpenAmiError):
    """A room behind the portal does not answer now: try again."""


class RefusedError(OpenAmiError):
    """A room refused a change; the text is for the person who asked, and holds no identity."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Intervals of one service point and channel, ascending, all columns of length n.

    Args:
        start_s: (n,) interval start, epoch seconds.
        value: (n,) counts in the channel's unit and power of ten; 0 where missing.
        quality: (n,) :class:`~openami.contracts.quality.QualityState`.
        low, high: (n,) edges of the uncertainty band.
        preliminary: (n,) bool, True where validation has not run yet.
        interval_s: interval length [s].
        method: (n,) :class:`~openami.contracts.quality.Method`; None where every value was measured.
    """

    start_s: I64
    value: I64
    quality: U8
    low: I64
    high: I64
    preliminary: npt.NDArray[np.bool_]
    interval_s: int
    method: U8 | None = None

    @property
    def methods(self) -> U8:
        """The method of each value."""
        return np.full(len(self.start_s), Method.MEASURED, np.uint8) if self.method is None else self.method


@dataclass(frozen=True, slots=True, eq=False)
class PricedIntervals:
    """What intervals cost under the service point's rate; for display, bills are exact.

    Args:
        currency: ISO 4217 letters.
        period_names: names of the rate's price periods.
        period: (n,) index into period_names.
        cost: (n,) in currency, or None where the price depends on more than time (blocks).
    """

    currency: str
    period_names: tuple[str, ...]
    period: U8
    cost: npt.NDArray[np.float64] | None


class UsageData(Protocol):
    """Readings by service point (mdm)."""

    async def intervals(self, scope: Scope, service_point_id: UUID, channel: Channel, period: Period) -> Series:
        """Return validated intervals where there are some, and the raw tail as preliminary.

        Raises:
            ScopeError: the scope does not hold the service point.
        """
        ...

    async def last_reading_end(self, scope: Scope, service_point_id: UUID) -> datetime | None:
        """Return the end of the newest interval received."""
        ...

    async def zone_of(self, service_point_id: UUID) -> str | None:
        """Return the IANA zone of the service point, or None for an unknown one."""
        ...


class Bills(Protocol):
    """Bills and prices (billing)."""

    async def so_far(self, scope: Scope, service_point_id: UUID, now: datetime) -> BillSoFarView | None:
        """Return the open bill, or None where no rate is assigned."""
        ...

    async def bills(self, scope: Scope, service_point_id: UUID) -> Sequence[BillSummaryView]:
        """Return the bills of the service point within the scope's time, newest first."""
        ...

    async def notices(self, scope: Scope, service_point_id: UUID) -> Sequence[EstimateNoticeView]:
        """Return the notices given with estimated bills within the scope's time, newest first."""
        ...

    async def true_ups(self, scope: Scope, service_point_id: UUID) -> Sequence[TrueUpView]:
        """Return what actual reads settled of estimated bills within the scope's time, newest first."""
        ...

    async def bill(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> BillView | None:
        """Return one bill, or None where this service point has no such bill within the scope's time."""
        ...

    async def statement(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> Statement | None:
        """Return a bill as its customer reads it, or None where :meth:`bill` would."""
        ...

    async def document(
        self, scope: Scope, service_point_id: UUID, bill_id: UUID, addressee: tuple[str, ...]
    ) -> bytes | None:
        """Return the bill's PDF as it went out, with these address lines, or None where :meth:`bill` would."""
        ...

    async def answer(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> CallAnswer | None:
        """Return why a bill is as high as it is, or None where :meth:`bill` would."""
        ...

    async def proof(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> BillProof | None:
        """Return a bill's proof down to its days, or None where :meth:`bill` would."""
        ...

    async def readings(
        self, scope: Scope, service_point_id: UUID, bill_id: UUID, day: date
    ) -> Sequence[ReadingProof] | None:
        """Return the raw reading behind each interval of a billed day, or None where :meth:`bill` would."""
        ...

    async def made_again(self, scope: Scope, service_point_id: UUID, bill_id: UUID) -> MadeAgainView | None:
        """Return how a bill made again from what was known then differs, or None where :meth:`bill` would."""
        ...

    async def rate_name(self, service_point_id: UUID) -> str | None:
        """Return the name of the rate in force."""
        ...

    async def price(
        self, service_point_id: UUID, start_s: I64, value_wh: I64, *, interval_s: int
    ) -> PricedIntervals | None:
        """Price delivered energy by interval, or None where the rate cannot."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """One agreement of a customer, in the customer's words.

    Args:
        service_point_id: where.
        label: the customer's name for it.
        address: as on the bill.
        period: time of the agreement.
        is_open: whether it runs on.
        has_received: whether energy was ever sent back here.
    """

    service_point_id: UUID
    label: str
    address: str
    period: Period
    is_open: bool
    has_received: bool


class Customers(Protocol):
    """Who lives where (customer). The only port that knows a name."""

    async def name_of(self, session: LiveSession) -> str:
        """Return how to address the signed-in person, or the staff account's name."""
        ...

    async def places_of(self, principal: Principal) -> Sequence[Place]:
        """Return the customer's own agreements, newest first."""
        ...


class AccessLog(Protocol):
    """The audit log, read side."""

    async def who_looked(self, scope: Scope, service_point_id: UUID, *, limit: int) -> Sequence[AuditEntry]:
        """Return looks at this service point within the scope's time, newest first."""
        ...

    async def head(self) -> SignedHead | None:
        """Return the newest signed tree head."""
        ...


class Sessions(Protocol):
    """Local accounts and server-side sessions (security)."""

    async def sign_in(self, *, login: str, password: str, address: str) -> LiveSession | None:
        """Return a new session, or None: wrong, unknown and locked look and take the same.

        Raises:
            TooManyAttemptsError: wait; the error says how long.
        """
        ...

    async def resume(self, secret: str, *, touch: bool = True) -> LiveSession | None:
        """Return the live session of a cookie, or None. ``touch`` counts as activity."""
        ...

    async def sign_out(self, secret: str) -> None:
        """End the session now, on every process."""
        ...


class OperationsView(Protocol):
    """The state of the chain, from the head-end's and the registry's figures. No usage, no identity."""

    async def completeness(self, period: Period) -> CompletenessView:
        """Return expected and received intervals by cell and hour."""
        ...

    async def frames(self, limit: int) -> Sequence[FrameView]:
        """Return the newest accepted frame of each of the meters heard last."""
        ...

    async def frame_rate(self) -> tuple[float, int]:
        """Return accepted frames per real second lately, and all accepted frames so far."""
        ...

    async def dead_letter_counts(self) -> Sequence[ReasonCountView]:
        """Return refused frames by reason, most first."""
        ...

    async def dead_letters(
        self, *, limit: int, before: str | None = None, system_title: str | None = None
    ) -> DeadLettersView:
        """Return refused frames, newest first; ``before`` is ``next_before`` of an earlier page."""
        ...

    async def release_counter(self, letter_id: str, *, by: UUID, reason: str) -> None:
        """Believe the counter of a held frame.

        Raises:
            RefusedError: no such letter is held, or it is released already.
        """
        ...

    async def unassigned(self, limit: int) -> Sequence[UnassignedMeterView]:
        """Return meters with keys and no installation."""
        ...

    async def meters_installed(self) -> int:
        """Return how many meters hang at a service point now."""
        ...

    async def meter(self, meter_id: UUID) -> MeterFacts | None:
        """Return what the registry and the head-end know of one meter."""
        ...

    async def search(self, wanted: str, *, limit: int) -> Sequence[ServicePointHitView]:
        """Find service points by the start of an id, cell, transformer, serial or system title."""
        ...

    async def attach(self, *, meter_id: UUID, service_point_id: UUID, installed_at: datetime) -> AttachedView:
        """Install a meter at a service point.

        Raises:
            RefusedError: it hangs elsewhere, or another meter hangs there.
        """
        ...

    async def processes(self) -> Sequence[ProcessView]:
        """Return the supervised processes and their health."""
        ...


class FleetView(Protocol):
    """How well the fleet is read, from the head-end's books, and the road to a single meter."""

    async def service_levels(self) -> ServiceLevelsView:
        """Return completeness by cell and age, and who is unread."""
        ...

    async def missing(self, meter_id: UUID, day: date | None) -> MissingReadsView | None:
        """Return why reads of a local day (None: today so far) are missing; None for an unknown meter.

        Raises:
            RefusedError: a day on which nothing can be missing.
        """
        ...

    async def ask(self, meter_id: UUID, kind: ReadKind) -> MeterReadView:
        """Put a read before all others of the meter; one of its kind that is still open is returned instead.

        Raises:
            RefusedError: the meter has no keys, or is of a kind that cannot be asked.
        """
        ...

    async def reads(self, meter_id: UUID, *, limit: int) -> Sequence[MeterReadView]:
        """Return the newest reads that were asked for by hand."""
        ...


class Radios(Protocol):
    """The radios of meters: what their grants state and what they counted."""

    async def radio_at(self, scope: Scope, service_point_id: UUID) -> MeterRadioView:
        """Return the radio of the meter that hangs at a place, or hung there last within the scope's time.

        Raises:
            ScopeError: the scope does not hold the service point.
        """
        ...


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """One meter as the registry and the head-end know it."""

    meter_id: UUID
    system_title: str
    serial: str | None
    profile: str
    installations: tuple[InstallationView, ...]
    last_frame: FrameView | None
    last_reading_at: datetime | None
