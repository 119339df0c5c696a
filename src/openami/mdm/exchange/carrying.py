"""Carry one record out, or only try it: new places and meters are entered, everything else is a registry change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from openami.kernel.time import Period
from openami.mdm.exchange.changes import Maker
from openami.mdm.exchange.ports import Biller, ExchangeBook, IdKind, Span
from openami.mdm.exchange.record import MasterRecord, RecordKind
from openami.mdm.registry.change import Change, EnterFacts
from openami.mdm.registry.errors import RegistryError
from openami.mdm.registry.records import Meter, ServicePoint
from openami.mdm.registry.timeline import cut_in

_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of a record, or would.

    Args:
        is_news: False where everything was believed already.
        again: days that are validated again.
        touched: days in which a bill may change.
    """

    is_news: bool
    again: tuple[Span, ...] = ()
    touched: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Carrier:
    """Carries records out.

    Args:
        maker: makes changes.
        book: of ids and premises.
        biller: is told the rates.
        at: domain time of entry.
        by: in whose name: the sender and the record's number, or a person's login.

    One carrier serves one record, tried and then carried out.
    """

    maker: Maker
    book: ExchangeBook
    biller: Biller
    at: datetime
    by: str
    _change: dict[str, Change] = field(default_factory=dict, repr=False)

    async def carry(self, record: MasterRecord, *, is_trial: bool = False) -> Carried:
        """Carry a record out, or say what it would do.

        Raises:
            RegistryError: the registry refuses it.
        """
        if record.kind is RecordKind.PREMISE:
            # Its id was given as the message was begun: a premise is no more than that.
            return Carried(is_news=record.text("premise") in self.maker.known.new_premises)
        if record.kind is RecordKind.METER:
            return await self._meter(record, is_trial=is_trial)
        news = False
        if record.kind is RecordKind.SERVICE_POINT:
            news = await self._point(record, is_trial=is_trial)
            if is_trial and news:
                return Carried(is_news=True)
        if record.id not in self._change:
            if await self._is_done(record):
                return Carried(is_news=False)
            self._change[record.id] = await self.maker.change(record)
        change = self._change[record.id]
        if isinstance(change, EnterFacts) and not await self._says_news(change):
            return Carried(is_news=news)
        if isinstance(change, EnterFacts) and not is_trial:
            await self.biller.enter_rates(change.entries, at=self.at)
        affected = await self.maker.desk.registry.change(
            change, at=self.at, by=self.by, reason=record.kind, is_trial=is_trial
        )
        again = tuple((a.service_point_id, a.first, a.last) for a in affected if a.is_validated)
        return Carried(
            is_news=True, again=again, touched=tuple((a.service_point_id, a.first, a.last) for a in affected)
        )

    async def _meter(self, record: MasterRecord, *, is_trial: bool) -> Carried:
        wanted = _meter_of(record, self.maker.new_id(), self.at)
        there = self.maker.known.meters.get(wanted.serial)
        if there is None:
            if not is_trial:
                await self.maker.desk.registry.add_meters([wanted])
                self.maker.known.meters[wanted.serial] = wanted
            return Carried(is_news=True)
        names = ("interval_s", "channels", "resolution_wh", "capacity_wh", "max_power_w", "system_title")
        given = [n for n in names if n in record.values]
        other = [n for n in given if getattr(there, n) != getattr(wanted, n)]
        if other:
            said = ", ".join(f"{n} {_shown(getattr(there, n))}" for n in other)
            raise RegistryError(f"meter {wanted.serial} is there with {said}: a meter's build does not change")
        return Carried(is_news=False)

    async def _point(self, record: MasterRecord, *, is_trial: bool) -> bool:
        """Enter a new place and its premise; tells whether either is news."""
        registry, point = self.maker.desk.registry, self.maker.known.point(record)
        there = await registry.service_points([point])
        if there and there[0].zone != record.text("zone"):
            raise RegistryError(
                f"service point {record.text('service_point')} is in zone {there[0].zone}: it stays there"
            )
        if is_trial:
            return not there
        if not there:
            await registry.add_service_points([ServicePoint(point, record.text("zone"), self.at)])
        name = record.text("premise")
        premise = (await self.book.ids(self.maker.sender, IdKind.PREMISE, [name]))[name]
        return await self.book.set_premise(point, premise, at=self.at) or not there

    async def _is_done(self, record: MasterRecord) -> bool:
        """Tell whether a record that moves a meter was carried out before, and only its answer was lost."""
        if record.kind not in {RecordKind.INSTALL, RecordKind.EXCHANGE, RecordKind.REMOVE}:
            return False
        at = record.instant("at")
        meter = self.maker.known.meter(record.text("meter"))
        around = await self.maker.desk.registry.installed(None, Period(at - _MOMENT, at + _MOMENT), meters=[meter.id])
        if record.kind is RecordKind.REMOVE:
            return any(i.installation.end == at for i in around)
        made = self.maker.installation_id(record)
        return any(i.installation.id == made for i in around)

    async def _says_news(self, change: EnterFacts) -> bool:
        for entry in change.entries:
            own = [f for f in await self.maker.facts_of(entry.service_point_id) if f.kind is entry.kind]
            if not cut_in(own, entry, at=self.at).is_empty:
                return True
        return False


def _meter_of(record: MasterRecord, meter_id: UUID, at: datetime) -> Meter:
    title = record.text("system_title")
    capacity = record.whole("capacity_wh", 0)
    return Meter(
        meter_id, record.text("meter"), at, bytes.fromhex(title) if title else None, record.text("profile"),
        record.whole("interval_s"), record.channels(), capacity or None, record.whole("resolution_wh", 1),
        record.whole("max_power_w"),
    )  # fmt: skip


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "+".join(c.name.lower() for c in value)
    return value.hex() if isinstance(value, bytes) else str(value)
