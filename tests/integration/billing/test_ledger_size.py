"""A night of bills in the ledger, at size: every bill booked, the book checked, a bulk cause corrected as one case."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.billing.test_corrections import SaidCauses
from tests.unit.billing.ledger.bills import bill, line

from openami.app.engines.postgres import PostgresEngine
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.adapters.correction_postgres import PostgresCorrections
from openami.billing.adapters.ledger_postgres import PostgresLedger
from openami.billing.bill.record import Bill, Correction
from openami.billing.correction.effect import CorrectionLimits
from openami.billing.correction.proposal import Wish
from openami.billing.correction.record import Cause, CauseKind, DecisionKind
from openami.billing.correction.remade import Remade
from openami.billing.correction.rules import CorrectionRules
from openami.billing.correction.weigh import Weigher
from openami.billing.correction.work import Corrections
from openami.billing.ledger.posting import LedgerPostings

pytestmark = [pytest.mark.engines, pytest.mark.soak, pytest.mark.timeout(3600)]
NOW = datetime(2026, 11, 10, 18, tzinfo=UTC)
FIRMWARE = Cause(CauseKind.EDIT, str(UUID(int=7)), "shift the clock by +3600 s: firmware 2.1")


class Dearer:
    """Makes each bill again a dollar and ten kWh dearer."""

    async def again(self, bills: Sequence[Bill], *, now: datetime) -> Mapping[UUID, Remade]:
        dearer = line("energy", "51.00", quantity="510")
        found = {}
        for b in bills:
            made = bill([dearer, *b.lines[1:]], point=b.service_point_id, usage_wh=510_000, version=2)
            found[b.bill_id] = Remade(b, (replace(made, made_at=now),), (b.bill_id,), (replace(made, made_at=now),))
        return found


async def test_a_night_of_bills_is_booked_and_a_firmware_s_fault_is_one_decision(postgres: PostgresEngine) -> None:
    count = int(os.environ.get("OPENAMI_LEDGER_BILLS", "20000"))
    engine = create_async_engine(postgres.url("openami_billing"))
    book, ledger = PostgresCorrections(engine), PostgresLedger(engine)
    postings = LedgerPostings(ledger)
    lines = [
        line("energy", "50.00", quantity="500"),
        line("fixed", "9.00"),
        line("rider", "3.10", "FAC"),
        line("tax", "4.35", "Town"),
    ]
    bills = [bill(lines, point=uuid4()) for _ in range(count)]
    laps: dict[str, float] = {}

    def lap(name: str, since: float) -> float:
        laps[name] = time.perf_counter() - since
        return time.perf_counter()

    at = time.perf_counter()
    for lo in range(0, count, 2_000):
        await PostgresBillBook(engine).keep(bills[lo : lo + 2_000])
    at = lap("keep bills", at)
    booked = 0
    while ids := await ledger.unposted(since=None, limit=2_000):
        booked += await postings.post(await book.bills(ids), at=NOW)
    assert booked == count
    at = lap("find, read and book", at)
    audit = await ledger.audit()
    assert audit.faults == []
    assert audit.owed["USD"] == count * Decimal("66.45")
    at = lap("check the ledger", at)

    touched = count // 4
    days = [Correction(b.bill_id, b.service_point_id, date(2026, 10, 7), 1, 2) for b in bills[:touched]]
    for lo in range(0, touched, 2_000):
        await PostgresBillBook(engine).note_corrections(days[lo : lo + 2_000], at=NOW)
    weigher = Weigher(book, Dearer(), SaidCauses({b.service_point_id: FIRMWARE for b in bills}), CorrectionRules())
    while (await weigher.weigh(NOW)).open:
        pass
    at = lap("weigh", at)
    corrections = Corrections(book, ledger, Dearer(), CorrectionRules(), CorrectionLimits())
    wish = Wish(FIRMWARE.name, DecisionKind.REBILL, "the firmware's clock was wrong")
    later = NOW + timedelta(hours=1)
    proposal = await corrections.propose(wish, by=uuid4(), at=later)
    assert (proposal.effect.bills, proposal.effect.up) == (touched, Decimal(touched))
    assert proposal.second is not None
    at = lap("preview", at)
    assert await corrections.carry_out(proposal.decision, proposal.effect, by=uuid4(), at=later, real=later)
    lap("carry out", at)
    audit = await ledger.audit()
    assert audit.faults == []
    assert audit.owed["USD"] == count * Decimal("66.45") + touched
    told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in laps.items())
    sys.stderr.write(f"\n{count} bills, {touched} corrected: {told}\n")
    await engine.dispose()
