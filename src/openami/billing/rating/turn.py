"""Bills of one customer in turn: each takes in what the one before hands on."""

from __future__ import annotations

from collections.abc import Sequence

from openami.billing.rating.carried import Carried
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.line import RatedBill
from openami.billing.rating.rate import rate
from openami.billing.rating.terms import BillTerms
from openami.billing.tariff.model import RateSchedule

_FIRST = Carried()


def rate_in_turn(
    schedule: RateSchedule, found: Sequence[Determinants], terms: Sequence[BillTerms], carried: Carried = _FIRST
) -> list[RatedBill]:
    """Return the bills of one customer, in order of time.

    Args:
        schedule: the rate.
        found: the determinants of each bill, in order of time.
        terms: of each bill.
        carried: what the bill before the first hands on.

    Raises:
        TariffError, UsageError: as :func:`~openami.billing.rating.rate.rate`.
    """
    bills: list[RatedBill] = []
    for one, own in zip(found, terms, strict=True):
        bills.append(rate(schedule, one, own, bills[-1].carried if bills else carried))
    return bills
