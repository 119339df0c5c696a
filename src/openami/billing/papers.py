"""What a bill is shown as: its statement, its proof, the readings behind it, and the bill made again."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from openami.billing.bill.fallback import in_stead
from openami.billing.bill.record import Bill
from openami.billing.call.answer import answer_of
from openami.billing.call.gather import call_facts
from openami.billing.call.record import CallAnswer
from openami.billing.edition.ports import EditionBook
from openami.billing.edition.record import schedule_of
from openami.billing.jurisdiction import Jurisdiction
from openami.billing.ports import BillBook
from openami.billing.proof.rebuild import Rebuilt, neighbors_of, rebuild
from openami.billing.proof.record import ReadingProof
from openami.billing.proof.trace import BillProof, proof_of, readings_of
from openami.billing.rates import Rates
from openami.billing.statement.facts import StatementFacts
from openami.billing.statement.gather import as_issued, facts_of
from openami.billing.statement.make import statement_of
from openami.billing.statement.record import Statement
from openami.billing.statement.setting import pdf_of
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import OPEN_SUFFIX, RateSchedule, opened
from openami.mdm.api import MeterData
from openami.security.access.scope import Scope


@dataclass(frozen=True, slots=True)
class Papers:
    """Questions about one bill. Every method returns None where there is no such bill within the scope.

    Args:
        meters: validated days, reads and raw readings.
        book: bills.
        rates: by code.
        rules: of the jurisdiction.
        editions: texts of rates as they were known; None takes every rate as it is now.
    """

    meters: MeterData
    book: BillBook
    rates: Rates
    rules: Jurisdiction
    editions: EditionBook | None = None

    async def statement(self, scope: Scope, bill_id: UUID, *, addressee: tuple[str, ...] = ()) -> Statement | None:
        """Return a bill's statement as it stands now: one that was replaced says so.

        Raises:
            ScopeError: outside the scope.
            StoreError: the store did not answer.
        """
        bill = await self.book.bill(scope, bill_id)
        return None if bill is None else statement_of(await self._facts(scope, bill, addressee))

    async def pdf(self, scope: Scope, bill_id: UUID, *, addressee: tuple[str, ...] = ()) -> bytes | None:
        """Return the document that went out: byte for byte the same whenever it is asked for.

        Raises:
            As :meth:`statement`; SettingError: it cannot be set.
        """
        bill = await self.book.bill(scope, bill_id)
        if bill is None:
            return None
        statement = statement_of(await self._facts(scope, as_issued(bill), addressee))
        # Some 30 ms of pure work: other requests go on meanwhile.
        return await to_thread(pdf_of, statement)

    async def proof(self, scope: Scope, bill_id: UUID) -> BillProof | None:
        """Return each line's proof, the days that were billed and what validation said of them.

        Raises:
            As :meth:`statement`; TariffError: the rate is not known any more.
        """
        bill = await self.book.bill(scope, bill_id)
        return None if bill is None else await proof_of(self.meters, await self._rate(bill), scope, bill)

    async def readings(self, scope: Scope, bill_id: UUID, day: date) -> tuple[ReadingProof, ...] | None:
        """Return the raw reading behind each interval of one billed day.

        Raises:
            As :meth:`proof`.
        """
        bill = await self.book.bill(scope, bill_id)
        return None if bill is None else await readings_of(self.meters, await self._rate(bill), scope, bill, day)

    async def answer(self, scope: Scope, bill_id: UUID) -> CallAnswer | None:
        """Return why a bill is as high as it is, against the same days a year before or the bill before it.

        Raises:
            As :meth:`statement`.
        """
        bill = await self.book.bill(scope, bill_id)
        return None if bill is None else answer_of(await call_facts(self.meters, self.book, scope, bill))

    async def rebuilt(self, scope: Scope, bill_id: UUID) -> tuple[Rebuilt, bool] | None:
        """Make a bill again from what was known then; with it, whether both give the same document to the byte.

        Raises:
            As :meth:`proof`.
        """
        bill = await self.book.bill(scope, bill_id)
        if bill is None:
            return None
        neighbors = neighbors_of(bill, await self.book.bills(scope, bill.service_point_id))
        rates = await self._known(bill)
        own = bill.terms.instead_of or bill.rate_code
        schedule = rates.get(own) or await self._rate(bill)
        found = await rebuild(self.meters, self.rules, schedule, scope, bill, neighbors, others=rates)
        both = [statement_of(await self._facts(scope, b, ())) for b in (as_issued(bill), found.bill)]
        papers = [await to_thread(pdf_of, one) for one in both]
        return found, papers[0] == papers[1]

    async def _facts(self, scope: Scope, bill: Bill, addressee: tuple[str, ...]) -> StatementFacts:
        known = await self._known(bill)
        return await facts_of(self.meters, self.book, known, scope, bill, addressee=addressee, rules=self.rules)

    async def _known(self, bill: Bill) -> Mapping[str, RateSchedule]:
        """Return the rates by code, those of the bill as they were known when it was made."""
        known = dict(self.rates.known)
        for told in filter(None, (bill.rate_code, bill.terms.instead_of)):
            code = told.removesuffix(OPEN_SUFFIX)
            edition = None if self.editions is None else await self.editions.known_at(code, bill.made_at)
            if edition is not None:
                own = schedule_of(edition)
                known[told] = own if code == told else opened(own)
        return known

    async def _rate(self, bill: Bill) -> RateSchedule:
        """Return the rate that a bill was priced by; in another's stead, with what that one keeps."""
        known = await self._known(bill)
        found = known.get(bill.rate_code)
        if found is None:
            raise TariffError(bill.rate_code, "this rate is not among the rates of this installation any more")
        home = known.get(bill.terms.instead_of)
        return found if home is None else in_stead(home, found, bill.span.last)
