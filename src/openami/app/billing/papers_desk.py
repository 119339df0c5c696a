"""Where people ask for a bill's papers: each look under their own sign-in, written down for the place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID

from openami.app.billing.bill_room import SCOPE, bill_room
from openami.app.devices.sealed_frames import Search, find_frames
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings
from openami.billing.api import Bill, Billing, CallAnswer
from openami.billing.proof.rebuild import Rebuilt
from openami.billing.proof.record import ReadingProof
from openami.billing.proof.trace import BillProof
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import local_day, zone_named
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose


class NoSuchBillError(OpenAmiError):
    """No bill has this number."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What is known of a bill's making.

    Args:
        bill: with lines.
        proof: down to its days.
        rebuilt: the bill made again from what was known then; None for a held one, which has nothing to make.
        same_bytes: whether both give one document.
    """

    bill: Bill
    proof: BillProof
    rebuilt: Rebuilt | None
    same_bytes: bool


class PapersDesk:
    """Looks at bills of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def explain(self, person: Actor, bill_id: UUID) -> Explained:
        """Return a bill's proof.

        Raises:
            NoSuchBillError: there is none.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
            StoreError: the store did not answer.
            TariffError: the rate is not known any more.
        """
        async with self._looking(person, bill_id, "bill.explain") as (billing, bill):
            proof = await billing.papers.proof(SCOPE, bill_id)
            again = await billing.papers.rebuilt(SCOPE, bill_id) if bill.total is not None else None
            if proof is None:
                raise NoSuchBillError(f"no bill has the number {bill_id}")
            return Explained(bill, proof, again[0] if again else None, bool(again and again[1]))

    async def readings(self, person: Actor, bill_id: UUID, day: date) -> tuple[ReadingProof, ...]:
        """Return the raw reading behind each interval of one billed day. Raises as :meth:`explain`."""
        async with self._looking(person, bill_id, "bill.readings", day) as (billing, _):
            return await billing.papers.readings(SCOPE, bill_id, day) or ()

    async def frames(
        self, person: Actor, bill_id: UUID, day: date, segments: Path
    ) -> tuple[tuple[ReadingProof, ...], Search]:
        """Return a day's readings and the sealed frames that brought them.

        Raises:
            As :meth:`explain`; SegmentsUnreadableError: the folder cannot be read.
        """
        async with self._looking(person, bill_id, "bill.frames", day) as (billing, bill):
            readings = await billing.papers.readings(SCOPE, bill_id, day) or ()
            period = local_day(day, zone_named(bill.zone))
            hung = await billing.meters.installed(SCOPE, bill.service_point_id, period)
            titles = {i.meter.serial: i.meter.system_title for i in hung if i.meter.system_title is not None}
            search = Search({}, 0, ())
            for serial, title in titles.items():
                counters = {r.counter for r in readings if r.meter == serial and r.counter is not None}
                found = find_frames(segments, bytes(title), counters)
                search = Search(search.found | found.found, found.segments, found.damaged)
            return readings, search

    async def answer(self, person: Actor, bill_id: UUID) -> CallAnswer:
        """Return why a bill is as high as it is. Raises as :meth:`explain`."""
        async with self._looking(person, bill_id, "bill.answer") as (billing, _):
            found = await billing.papers.answer(SCOPE, bill_id)
            if found is None:
                raise NoSuchBillError(f"no bill has the number {bill_id}")
            return found

    async def pdf(self, person: Actor, bill_id: UUID) -> bytes:
        """Return the document of a bill as it went out, without name and address. Raises as :meth:`explain`."""
        async with self._looking(person, bill_id, "bill.pdf") as (billing, _):
            found = await billing.papers.pdf(SCOPE, bill_id)
            if found is None:
                raise NoSuchBillError(f"no bill has the number {bill_id}")
            return found

    @asynccontextmanager
    async def _looking(
        self, person: Actor, bill_id: UUID, query: str, day: date | None = None
    ) -> AsyncIterator[tuple[Billing, Bill]]:
        """Hold a decided and logged look at one bill."""
        async with bill_room(self._settings) as billing:
            bill = await billing.bill(SCOPE, bill_id)
            # Nobody learns by an error whether a number is a bill's: the look is written down first.
            places = frozenset() if bill is None else frozenset({bill.service_point_id})
            note = f"bill {bill_id}" + (f", {day}" if day else "")
            act = Act(Kind.BILLING, query, note, Action.READ, Purpose.OPERATIONS, places)
            async with acting(self._settings, person, act):
                if bill is None:
                    raise NoSuchBillError(f"no bill has the number {bill_id}")
                yield billing, bill
