"""Port of the registry. Its adapter keeps it in PostgreSQL, schema ``mdm``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.kernel.time import Period
from openami.mdm.ports import MeterSpan
from openami.mdm.registry.change import Change, LoggedChange, Unmetered
from openami.mdm.registry.facts import Fact, FactEntry, FactKind, PlaceNews
from openami.mdm.registry.records import Affected, Installation, InstalledMeter, Meter, ServicePoint


class FactBook(Protocol):
    """Dated facts of service points, and calendars. Raises :class:`~openami.mdm.registry.errors.RegistryError`."""

    async def of(
        self,
        service_points: Collection[UUID] | None,
        period: Period | None = None,
        *,
        kinds: Collection[FactKind] | None = None,
        as_known_at: datetime | None = None,
    ) -> list[Fact]:
        """Return facts that hold in part of the period, by (service point, kind, start).

        Args:
            service_points: of these; None asks for all.
            period: None asks for all time.
            kinds: of these kinds; None asks for all.
            as_known_at: what was believed then; None asks for what is believed now.
        """
        ...

    async def enter(
        self, entries: Sequence[FactEntry], *, at: datetime, by: str = "", reason: str = ""
    ) -> list[Affected]:
        """Enter facts, back-dated ones too, all or none; what was believed before stays askable.

        Returns:
            The local days that have passed and are touched; those that validation must look at are on its queue.

        Raises:
            UnknownRecordError: no such service point.
            RegistryError: another hand entered a fact for the same time right then.
        """
        ...

    async def news(self, *, limit: int | None) -> list[PlaceNews]:
        """Return changes of accounts and bill groups that nobody has taken note of, the oldest first; all for None.

        A change is there from the instant at which its fact is, whichever way that was entered.
        """
        ...

    async def end_news(self, numbers: Collection[int]) -> None:
        """Forget news that were taken note of."""
        ...

    async def kinds(self) -> frozenset[FactKind]:
        """Return the kinds of which the registry believes any fact of any place."""
        ...

    async def touched_since(self, kinds: Collection[FactKind], since: datetime) -> frozenset[UUID]:
        """Return the service points of which a fact of these kinds was entered or gave way at ``since`` or later."""
        ...

    async def holidays(self, first: date, last: date) -> dict[str, frozenset[date]]:
        """Return the holidays from first to last, both included, of every calendar by name, the shipped ones too."""
        ...

    async def set_calendar(self, name: str, days: Mapping[date, str], *, at: datetime, by: str = "") -> None:
        """Replace the days of a calendar of the utility's own."""
        ...


class Registry(Protocol):
    """Who is installed where and when. Every write takes the domain instant at which it is entered.

    Writes raise :class:`~openami.mdm.registry.records.RegistryError` and change nothing when one row is refused.
    Those that alter history return the local days whose validation must run again, already on its queue.
    """

    @property
    def facts(self) -> FactBook:
        """Dated facts of the service points."""
        ...

    async def add_service_points(self, rows: Sequence[ServicePoint]) -> None:
        """Enter service points; any number in one call. A repeat of an id already there is left as it is."""
        ...

    async def add_meters(self, rows: Sequence[Meter]) -> None:
        """Enter meters; any number in one call. A repeat of an id already there is left as it is."""
        ...

    async def install(self, rows: Sequence[Installation], *, at: datetime) -> list[Affected]:
        """Enter installations, back-dated ones too.

        Raises:
            OverlapError: a point would have two meters, or a meter two points, at one time.
            UnknownRecordError: no such service point or meter.
        """
        ...

    async def change(
        self, change: Change, *, at: datetime, by: str = "", reason: str = "", is_trial: bool = False
    ) -> list[Affected]:
        """Carry out one change, back-dated or not, wholly or not at all.

        Args:
            change: what is to be believed from now on.
            at: domain time of the entry.
            by: login of the person or name of the file.
            reason: why, in words.
            is_trial: answer what it affects, and change nothing. The change is made and taken back, so what is refused
                then is refused with the same words.

        Raises:
            OverlapError: a point would have two meters, or a meter two points, at one time.
            MissingReadError: an end of an installation lacks a register read that nobody declared unreadable.
            UnknownRecordError: no such meter, service point or installation there and then.
            RegistryError: anything else that cannot be.
        """
        ...

    async def changes(self, service_point_id: UUID) -> list[LoggedChange]:
        """Return every change that was entered of a service point, oldest first."""
        ...

    async def unmetered(self, service_points: Collection[UUID] | None) -> list[tuple[UUID, Unmetered]]:
        """Return the estimates of energy that passed while no meter hung there, by (service point, start)."""
        ...

    async def service_point(self, service_point_id: UUID) -> ServicePoint:
        """Return one service point.

        Raises:
            UnknownRecordError: no such service point.
        """
        ...

    async def service_points(
        self, ids: Collection[UUID] | None = None, *, at: datetime | None = None
    ) -> list[ServicePoint]:
        """Return these service points (all without ids), by id; unknown ids are absent.

        Transformer, feeder, cell and bill group are those of dated facts where there are any: in force at ``at``, or
        the last that was entered to begin.
        """
        ...

    async def members_of_cells(self, cells: Collection[str]) -> dict[str, list[UUID]]:
        """Return the service points of these cells of the radio plan, by id; a cell of none is absent."""
        ...

    async def members_of_transformers(self, transformers: Collection[str]) -> dict[str, list[UUID]]:
        """Return the service points on these transformers of the network, by id; a transformer of none is absent."""
        ...

    async def meter(self, meter_id: UUID) -> Meter:
        """Return one meter.

        Raises:
            UnknownRecordError: no such meter.
        """
        ...

    async def meters(self, ids: Collection[UUID] | None = None) -> list[Meter]:
        """Return these meters (all without ids), by id."""
        ...

    async def meters_of_serials(self, serials: Collection[str]) -> list[Meter]:
        """Return the meters of these serial numbers, by id; unknown numbers are absent."""
        ...

    async def installed(
        self,
        service_points: Collection[UUID] | None,
        period: Period,
        *,
        meters: Collection[UUID] | None = None,
        as_known_at: datetime | None = None,
    ) -> list[InstalledMeter]:
        """Return installations that overlap the period, by (service point, start); all service points for None.

        With ``as_known_at`` they are those that were believed then.
        """
        ...

    async def spans(self, service_points: Collection[UUID] | None, period: Period) -> list[MeterSpan]:
        """Return which raw rows belong to which service point in the period: installations cut to it."""
        ...

    async def meters_unassigned(self, known_meter_ids: Collection[UUID]) -> list[UUID]:
        """Return those of the ids (meters that send) which hang nowhere and never did."""
        ...

    async def zones(self) -> dict[str, datetime]:
        """Return each zone in which a real meter was ever installed, with the start of its first installation."""
        ...
