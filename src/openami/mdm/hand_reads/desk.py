"""Where reads by hand come in: judged against those before, kept with what became of them, and handed to the store.

A read that is accepted is a register read like any other, so that usage and bills stand on it; a held one waits for a
person, who accepts it, corrects it or rejects it. Nothing of it is lost: every step is a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.contracts.reading import RegisterBatch, uuid_column
from openami.kernel.time import EVER, Period, epoch_s, instant_from_epoch_s, local_midnight, require_utc, zone_named
from openami.mdm.hand_reads.estimate import estimated
from openami.mdm.hand_reads.judge import Proposed, judged
from openami.mdm.hand_reads.level import advance
from openami.mdm.hand_reads.ports import HandReadBook
from openami.mdm.hand_reads.read import (
    MAX_MARK,
    HandRead,
    HandReadError,
    Judgement,
    PastRead,
    ReadFinding,
    ReadState,
    Register,
    Road,
)
from openami.mdm.hand_reads.sheet import SheetRead, SheetRefusal
from openami.mdm.ports import IntervalStore, MeterSpan
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import InstalledMeter, Meter
from openami.mdm.registry.segments import segments
from openami.security.access.scope import Purpose, system_scope

_MOMENT = timedelta(seconds=1)
MONTH = timedelta(days=27)
SCOPE = system_scope(process="hand_reads", purpose=Purpose.BILLING)
_BY_PEOPLE = frozenset({int(Source.FIELD), int(Source.CUSTOMER)})


@dataclass(frozen=True, slots=True)
class Taken:
    """A read that somebody took.

    Args:
        service_point_id: where.
        channel: of which register.
        at: when.
        value: counts, as the display shows them in the meter's unit.
        road: how it came.
        mark: the reader's code, the photo's SHA-256, the drive's number; never a name.
        meter_id: whose register, where it is known; None for whatever hung there.
    """

    service_point_id: UUID
    channel: Channel
    at: datetime
    value: int
    road: Road
    mark: str = ""
    meter_id: UUID | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", require_utc(self.at))
        if self.value < 0:
            raise HandReadError(f"the read is {self.value}: a register shows nothing below zero")
        if len(self.mark) > MAX_MARK or not self.mark.isprintable():
            raise HandReadError(f"the mark of a read is at most {MAX_MARK} printable letters")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a place used between two reads that stand.

    Args:
        start, end: instants of the reads.
        usage_wh: after the multiplier.
        is_estimated: one of both ends is an estimate.
    """

    start: datetime
    end: datetime
    usage_wh: int
    is_estimated: bool


@dataclass(frozen=True, slots=True)
class SheetAnswer:
    """What became of one line of a sheet.

    Args:
        line: of the file.
        state: of the read; None where it was refused.
        reason: what the rules say, or why it was refused.
        read_id: of the read.
    """

    line: int
    state: ReadState | None
    reason: str
    read_id: UUID | None


@dataclass(frozen=True, slots=True)
class HandReadDesk:
    """Takes reads and decides on held ones.

    Args:
        registry: who hangs where.
        store: where accepted reads go.
        book: where all of them are kept.
        new_id: gives ids.
    """

    registry: Registry
    store: IntervalStore
    book: HandReadBook
    new_id: Callable[[], UUID]

    async def take(
        self, taken: Taken, *, now: datetime, by: str, read_id: UUID | None = None
    ) -> tuple[HandRead, Judgement]:
        """Judge a read, keep it, and hand it on if it is accepted.

        Args:
            taken: the read.
            now: domain time.
            by: login, or name of the file.
            read_id: the same for the same line of the same file, which counts once; None makes one.

        Raises:
            HandReadError: no meter with that register hung there then, or the instant lies ahead.
        """
        if taken.at > now:
            raise HandReadError(f"the read is of {taken.at.isoformat()}, which lies ahead")
        hung = await self._hung(taken.service_point_id, taken.channel, taken.at, meter_id=taken.meter_id)
        found = judged(Proposed(taken.at, taken.value, taken.road), await self._past(hung, taken.channel), _form(hung))
        read = HandRead(
            read_id or self.new_id(), taken.service_point_id, hung.meter.id, taken.channel, taken.at, taken.value,
            taken.road, taken.mark, found.state, found.findings, now, by,
        )  # fmt: skip
        await self._keep(read)
        return read, found

    async def take_sheet(
        self, entries: Sequence[SheetRead | SheetRefusal], *, now: datetime, by: str
    ) -> list[SheetAnswer]:
        """Take the reads of a sheet, each by itself; a repeat of the sheet takes nothing twice.

        Returns:
            One answer for each entry, in order.
        """
        serials = {e.serial for e in entries if isinstance(e, SheetRead)}
        meters = {m.serial: m for m in await self.registry.meters_of_serials(serials)} if serials else {}
        answers = []
        # By instant, so that the reads of one register are judged in their order.
        for entry in sorted(entries, key=lambda e: str(getattr(e, "at", ""))):
            if isinstance(entry, SheetRefusal):
                answers.append(SheetAnswer(entry.line, None, entry.reason, None))
                continue
            try:
                read, found = await self._take_entry(entry, meters.get(entry.serial), now=now, by=by)
            except HandReadError as error:
                answers.append(SheetAnswer(entry.line, None, str(error), None))
            else:
                answers.append(SheetAnswer(entry.line, read.state, _words(found.findings), read.id))
        return sorted(answers, key=lambda a: a.line)

    async def _take_entry(
        self, entry: SheetRead, meter: Meter | None, *, now: datetime, by: str
    ) -> tuple[HandRead, Judgement]:
        if meter is None:
            raise HandReadError(f"no meter of serial {entry.serial}")
        ever = await self.registry.installed(None, EVER, meters=[meter.id])
        zones = {
            p.id: zone_named(p.zone)
            for p in await self.registry.service_points({i.installation.service_point_id for i in ever})
        }
        for one in ever:
            i = one.installation
            at = _instant(entry.at, zones[i.service_point_id])
            if i.start <= at and (i.end is None or at <= i.end):
                same = f"{int(entry.channel)} {at.isoformat()} {entry.value} {entry.road.value}"
                taken = Taken(i.service_point_id, entry.channel, at, entry.value, entry.road, entry.mark, meter.id)
                return await self.take(taken, now=now, by=by, read_id=uuid5(meter.id, same))
        raise HandReadError(f"meter {entry.serial} hung nowhere then")

    async def estimate(
        self, service_point_id: UUID, channel: Channel, at: datetime, *, now: datetime, by: str, reason: str
    ) -> tuple[HandRead, Judgement]:
        """Take an estimated read, where nobody could read.

        Raises:
            HandReadError: too little is known to estimate from, or as at :meth:`take`.
        """
        if at > now:
            raise HandReadError(f"the read is of {at.isoformat()}, which lies ahead")
        hung = await self._hung(service_point_id, channel, at)
        past = await self._past(hung, channel)
        made = estimated(past, _form(hung), at, serial=hung.meter.serial)
        found = judged(Proposed(at, made.value, Road.ESTIMATE), past, _form(hung))
        read = HandRead(
            self.new_id(), service_point_id, hung.meter.id, channel, require_utc(at), made.value, Road.ESTIMATE,
            made.method, found.state, found.findings, now, by, reason,
        )  # fmt: skip
        await self._keep(read)
        return read, found

    async def decide(
        self, read_id: UUID, state: ReadState, *, value: int | None = None, now: datetime, by: str, reason: str
    ) -> HandRead:
        """Accept a held read as it is or as it was meant, or reject it.

        Args:
            read_id: the held read.
            state: accepted or rejected.
            value: what was meant, where it was mis-keyed; None for as it is.
            now: domain time.
            by: who decides.
            reason: why.

        Raises:
            HandReadError: there is no such read, it waits for nobody, or no reason is given.
        """
        held = await self.book.read(read_id)
        if held is None or held.state is not ReadState.HELD:
            raise HandReadError(f"read {read_id} waits for nobody; `registry held` lists those that do")
        if not reason.strip():
            raise HandReadError("a decision on a read needs a reason")
        if state is ReadState.HELD:
            raise HandReadError("a decision accepts or rejects")
        if value is not None:
            await self._require_shown(held, state, value)
        decided = replace(
            held, id=self.new_id(), state=state, value=held.value if value is None else value, entered_at=now,
            entered_by=by, reason=reason,
        )  # fmt: skip
        await self._keep(decided, supersedes=held.id)
        return decided

    async def _require_shown(self, held: HandRead, state: ReadState, value: int) -> None:
        """Pass if the register can show what was meant.

        Raises:
            HandReadError: it cannot, or the read is rejected.
        """
        if state is ReadState.REJECTED:
            raise HandReadError("a rejected read has no other value: accept it as it was meant, or reject it")
        hung = await self._hung(held.service_point_id, held.channel, held.at, meter_id=held.meter_id)
        capacity = _form(hung).capacity
        if value < 0 or (capacity is not None and value >= capacity):
            most = "without end" if capacity is None else f"to {capacity - 1}"
            raise HandReadError(f"the register cannot show {value}: it goes from 0 {most}")

    async def reads(self, service_point_id: UUID, channel: Channel) -> list[HandRead]:
        """Return what stands of the registers that hung at a place, by instant."""
        hung = await self.registry.installed([service_point_id], EVER)
        found = await self.book.of_meters({i.meter.id for i in hung}, channel)
        return [r for r in found if r.service_point_id == service_point_id]

    async def usage(self, service_point_id: UUID, channel: Channel) -> list[Usage]:
        """Return what was used between consecutive accepted reads of each installation, by start.

        An estimate that the next actual read shows to be too high gives no usage of its own: the actual read counts
        from the last actual one.
        """
        found = []
        for one in segments(await self.registry.installed([service_point_id], EVER), channel):
            found += used(await self._past(one, channel), _form(one))
        return found

    async def _hung(
        self, point: UUID, channel: Channel, at: datetime, *, meter_id: UUID | None = None
    ) -> InstalledMeter:
        around = await self.registry.installed([point], Period(at - _MOMENT, at + _MOMENT))
        theirs = [i for i in around if meter_id in (None, i.meter.id)]
        here = [i for i in segments(theirs, channel) if channel in i.meter.channels]
        if not here:
            raise HandReadError(f"no meter with a register {channel.name.lower()} hung there at {at.isoformat()}")
        return next((i for i in here if i.installation.start <= at), here[0])

    async def _past(self, one: InstalledMeter, channel: Channel) -> list[PastRead]:
        """Return the accepted reads of a register while it hung there: by hand, the installer's, and the network's."""
        i = one.installation
        kept = await self.book.of_meters([one.meter.id], channel)
        past = await self._by_network(one, channel, besides={r.at for r in kept}) | {
            r.at: PastRead(r.at, r.value, r.road is Road.ESTIMATE, r.road is Road.CUSTOMER)
            for r in kept
            if r.state is ReadState.ACCEPTED and i.start <= r.at and (i.end is None or r.at <= i.end)
        }
        for at, reads, guessed in ((i.start, i.in_reads, i.estimated_in), (i.end, i.out_reads, i.estimated_out)):
            if at is not None and channel in reads:
                past[at] = PastRead(at, reads[channel], channel in guessed)
        return sorted(past.values(), key=lambda p: p.at)

    async def _by_network(
        self, one: InstalledMeter, channel: Channel, *, besides: set[datetime]
    ) -> dict[datetime, PastRead]:
        """Return reads that came over the network, about one a month and the newest: a day says little of a level."""
        i = one.installation
        period = Period(i.start, i.end + _MOMENT) if i.end is not None else Period(i.start, EVER.end)
        span = MeterSpan(i.service_point_id, one.meter.id, period)
        batch = await self.store.registers(SCOPE, [span], channel, period)
        rows = sorted(zip(batch.at.tolist(), batch.value.tolist(), batch.source.tolist(), strict=True))
        sent = [(instant_from_epoch_s(at), value) for at, value, source in rows if source not in _BY_PEOPLE]
        found: dict[datetime, PastRead] = {}
        last: datetime | None = None
        for n, (at, value) in enumerate(sent):
            if at not in besides and (last is None or at - last >= MONTH or n == len(sent) - 1):
                found[at] = PastRead(at, value)
                last = at
        return found

    async def _keep(self, read: HandRead, *, supersedes: UUID | None = None) -> None:
        """Keep a read; an accepted one that is no estimate goes to the store first, so that a repeat mends a crash."""
        if read.state is ReadState.ACCEPTED and read.road is not Road.ESTIMATE:
            await self.store.write_registers(_batch(read), token=f"hand-{read.id}")
        await self.book.keep(read, supersedes=supersedes)


def used(past: Sequence[PastRead], register: Register) -> list[Usage]:
    """Return the usage between consecutive reads of one register, by start."""
    found: list[Usage] = []
    standing: list[PastRead] = []
    for read in past:
        # Estimates that an actual read undercuts are forgotten.
        while (
            not read.is_estimate
            and standing
            and standing[-1].is_estimate
            and _counts(standing[-1], read, register) is None
        ):
            standing.pop()
            if found:
                found.pop()
        if standing:
            counts = _counts(standing[-1], read, register)
            if counts is None and read.is_estimate:
                continue
            if counts is not None:
                guessed = standing[-1].is_estimate or read.is_estimate
                found.append(Usage(standing[-1].at, read.at, counts * register.multiplier, guessed))
        standing.append(read)
    return found


def _instant(at: datetime | date, zone: ZoneInfo) -> datetime:
    return at if isinstance(at, datetime) else local_midnight(at, zone)


def _words(findings: Sequence[ReadFinding]) -> str:
    return ", ".join(f.rule.replace("_", " ") for f in findings)


def _counts(earlier: PastRead, later: PastRead, register: Register) -> int | None:
    return advance(earlier.value, later.value, (later.at - earlier.at) / timedelta(hours=1), register)


def _form(one: InstalledMeter) -> Register:
    return Register(one.meter.capacity_wh, one.meter.resolution_wh, one.meter.max_power_w, one.installation.multiplier)


def _batch(read: HandRead) -> RegisterBatch:
    return RegisterBatch(
        meter_id=uuid_column([read.meter_id]),
        channel=np.full(1, read.channel, np.uint8),
        at=np.array([epoch_s(read.at)], dtype=np.int64),
        value=np.array([read.value], dtype=np.int64),
        source=np.full(1, Source.CUSTOMER if read.road is Road.CUSTOMER else Source.FIELD, np.uint8),
        message_id=np.array([read.id.int & 0xFFFF_FFFF_FFFF_FFFF], dtype=np.uint64),
    )
