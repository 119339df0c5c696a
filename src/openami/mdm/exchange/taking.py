"""Take a message of master data: each record tried against the registry, accepted, held or rejected, and answered.

The same message again is answered as before and changes nothing. The same record in another message changes nothing
either. A record that would alter days of issued bills is held for a person, with the counts, unless that is allowed.
A crash between two records loses none: a record that was carried out and not yet answered finds itself done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from openami.mdm.exchange.acknowledgement import Acknowledgement, Answer, Result
from openami.mdm.exchange.carrying import Carried, Carrier
from openami.mdm.exchange.changes import Known, Maker
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.message import Message
from openami.mdm.exchange.ports import Answered, Biller, ExchangeBook, IdKind
from openami.mdm.exchange.record import MasterRecord, RecordKind, RejectedRecord
from openami.mdm.registry.desk import RegistryDesk
from openami.mdm.registry.errors import MissingReadError, OverlapError, RegistryError, UnknownRecordError
from openami.mdm.registry.facts import FactError

KEPT_AT_ONCE = 100
"""Answers written together: as many are found done, and answered anew, after a crash."""
CODES: tuple[tuple[type[RegistryError], str], ...] = (
    (OverlapError, "overlap"), (MissingReadError, "missing_read"), (UnknownRecordError, "unknown"), (FactError, "fact"),
)  # fmt: skip
"""Words for machines by what the registry refused with; any other refusal is ``refused``."""


def record_digest(record: MasterRecord) -> bytes:
    """Return what tells two records of one number apart."""
    text = "\x1f".join([record.kind, *(f"{n}={record.values[n]}" for n in sorted(record.values))])
    return sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True)
class MasterData:
    """Takes messages.

    Args:
        desk: makes and tries changes.
        book: what is kept of messages.
        biller: is asked for bills of days that a change touches, and told the rates.
        new_id: where ids come from.
    """

    desk: RegistryDesk
    book: ExchangeBook
    biller: Biller
    new_id: Callable[[], UUID]

    async def take(self, message: Message, *, at: datetime, accept_billed: bool = False) -> Acknowledgement:
        """Take a message.

        Args:
            message: as read.
            at: domain time.
            accept_billed: carry out what touches issued bills too, instead of holding it.

        Raises:
            MessageRefusedError: another message of this number came before.
        """
        earlier = await self.book.earlier(message.sender, message.id)
        if earlier is not None:
            if earlier[0] != message.digest:
                raise MessageRefusedError(0, f"message {message.id} came before with other content: number it anew")
            return earlier[1]
        known = await self._known(message.sender, message.records, at)
        told = await self.book.answers(message.sender, [r.id for r in message.records])
        answers: list[Answer] = []
        unkept: list[Answered] = []
        for record in message.records:
            answer, digest = await self._one(message.sender, record, known, told, at, accept_billed=accept_billed)
            told[record.id] = (digest, answer)
            answers.append(answer)
            unkept.append(Answered(record if isinstance(record, MasterRecord) else None, digest, answer))
            if len(unkept) == KEPT_AT_ONCE:
                await self.book.note(message, unkept, at=at)
                unkept = []
        await self.book.note(message, unkept, at=at)
        found = Acknowledgement(message.sender, message.id, at, tuple(answers))
        await self.book.finish(message, found)
        return found

    async def release(self, sender: str, message: Message, record: MasterRecord, *, at: datetime, by: str) -> Answer:
        """Carry out a held record by a person's word.

        Raises:
            RegistryError: the registry refuses it now.
        """
        known = await self._known(sender, [record], at)
        carried = await self._carrier(sender, known, at, by).carry(record)
        answer = _accepted(record, carried, 0)
        await self.book.note(message, [Answered(record, record_digest(record), answer)], at=at)
        return answer

    async def _one(
        self,
        sender: str,
        record: MasterRecord | RejectedRecord,
        known: Known,
        told: dict[str, tuple[bytes, Answer]],
        at: datetime,
        *,
        accept_billed: bool,
    ) -> tuple[Answer, bytes]:
        if isinstance(record, RejectedRecord):
            return Answer.rejecting(record), b""
        digest = record_digest(record)
        before = told.get(record.id)
        if before is not None and before[1].result in {Result.ACCEPTED, Result.UNCHANGED}:
            if before[0] == digest:
                return Answer(record.kind, record.id, record.line, Result.UNCHANGED), digest
            reason = "a record of this number was accepted with other content: number it anew"
            return Answer(record.kind, record.id, record.line, Result.REJECTED, "number", reason), digest
        try:
            answer = await self._tried(sender, record, known, at, accept_billed=accept_billed)
        except RegistryError as error:
            code = next((word for kind, word in CODES if isinstance(error, kind)), "refused")
            answer = Answer(record.kind, record.id, record.line, Result.REJECTED, code, str(error)[:300])
        return answer, digest

    async def _tried(
        self, sender: str, record: MasterRecord, known: Known, at: datetime, *, accept_billed: bool
    ) -> Answer:
        carrier = self._carrier(sender, known, at, f"{sender} {record.id}")
        trial = await carrier.carry(record, is_trial=True)
        bills = await self.biller.count(trial.touched) if trial.touched else 0
        if bills and not accept_billed:
            days = _days(trial)
            reason = f"alters days of {bills} issued bills ({days} days are validated again): a person releases it"
            return Answer(record.kind, record.id, record.line, Result.HELD, "billed", reason, days, bills)
        return _accepted(record, await carrier.carry(record), bills)

    def _carrier(self, sender: str, known: Known, at: datetime, by: str) -> Carrier:
        return Carrier(Maker(self.desk, known, sender, self.new_id), self.book, self.biller, at, by)

    async def _known(self, sender: str, records: Sequence[MasterRecord | RejectedRecord], at: datetime) -> Known:
        """Resolve what records name, and give ids to what they make."""
        taken = [r for r in records if isinstance(r, MasterRecord)]
        points = await self._ids(sender, IdKind.SERVICE_POINT, taken, RecordKind.SERVICE_POINT, "service_point", at)
        accounts = await self._ids(sender, IdKind.ACCOUNT, taken, RecordKind.START, "account", at)
        premises = {r.text("premise") for r in taken if r.text("premise")}
        new = frozenset(premises - (await self.book.ids(sender, IdKind.PREMISE, premises)).keys())
        await self._ids(sender, IdKind.PREMISE, taken, None, "premise", at)
        serials = {r.text(f) for r in taken for f in ("meter", "old_meter") if r.text(f)}
        meters = {m.serial: m for m in await self.desk.registry.meters_of_serials(serials)}
        return Known(points, accounts, meters, new)

    async def _ids(
        self,
        sender: str,
        kind: IdKind,
        records: Sequence[MasterRecord],
        making: RecordKind | None,
        field: str,
        at: datetime,
    ) -> dict[str, UUID]:
        """Return ids by name; records of the making kind (None: any) give a new id to a name that has none."""
        names = {r.text(field) for r in records if r.text(field)}
        found = await self.book.ids(sender, kind, names)
        made = {r.text(field) for r in records if r.text(field) and making in {None, r.kind}} - found.keys()
        new = {name: self.new_id() for name in sorted(made)}
        if new:
            await self.book.make_ids(sender, kind, new, at=at)
            # Another hand may have been faster: what is kept counts.
            found = await self.book.ids(sender, kind, names)
        if kind is IdKind.SERVICE_POINT:
            found |= await self._our_own(names - found.keys())
        return found

    async def _our_own(self, names: set[str]) -> dict[str, UUID]:
        """Return service points that are called by our own ids: of places that the sender never named."""
        ids = {}
        for name in names:
            try:
                ids[UUID(name)] = name
            except ValueError:
                continue
        return {ids[p.id]: p.id for p in await self.desk.registry.service_points(set(ids))}


def _accepted(record: MasterRecord, carried: Carried, bills: int) -> Answer:
    result = Result.ACCEPTED if carried.is_news else Result.UNCHANGED
    return Answer(record.kind, record.id, record.line, result, days=_days(carried), bills=bills)


def _days(carried: Carried) -> int:
    return sum((last - first).days + 1 for _, first, last in carried.again)
