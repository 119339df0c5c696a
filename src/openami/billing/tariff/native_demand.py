"""Read the demand charges of a rate file of our own format."""

from __future__ import annotations

from decimal import Decimal

from openami.billing.tariff.clause import Clause, placed
from openami.billing.tariff.demand import CoincidentRule, DemandCharge, WindowAlignment
from openami.billing.tariff.native_price import read_period
from openami.billing.tariff.ratchet import EVERY_MONTH, Ratchet, even_ratchet

_PLAIN = "kW"


def read_demand(row: Clause) -> tuple[DemandCharge, list[str]]:
    """Return a demand charge, and the keys of its periods.

    Raises:
        TariffError: a key is unknown or malformed, or the charge is on power that an energy meter cannot tell.
    """
    periods = {key: read_period(period) for key, period in row.at("periods").pairs()}
    unit = row.get("unit", Clause.text, _PLAIN)
    if unit != _PLAIN:
        raise row.at("unit").refuse(f"demand in {unit[:20]!r} needs reactive energy, which is not billed; kW is")
    least_kw = row.get("least_kw", Clause.number, Decimal(0))
    charge = placed(
        row,
        lambda: DemandCharge(
            row.at("name").text(),
            row.get("window_minutes", lambda c: c.whole(), None),
            tuple(periods.values()),
            row.get("alignment", lambda c: c.word(WindowAlignment), WindowAlignment.CLOCK),
            row.get("ratchet", _ratchet, None),
            row.get("coincident", lambda c: c.word(CoincidentRule), None),
            int(least_kw * 1000),
        ),
    )
    row.close()
    return charge, list(periods)


def _ratchet(row: Clause) -> Ratchet:
    """Read one percentage with the months whose peaks count, or twelve percentages."""
    months = row.get("months", Clause.whole, 11)
    applies_in = row.get("applies_in", _months, EVERY_MONTH)
    by_period = row.get("by_period", Clause.truth, False)
    set_in = row.get("set_in", _months, EVERY_MONTH)
    if row.has("percents"):
        if row.has("percent") or row.has("set_in"):
            raise row.refuse("twelve percents say all; percent and set_in go without them")
        percents = tuple(p.number() for p in row.at("percents").items())
    else:
        percent = row.at("percent").number()
        percents = placed(row, lambda: even_ratchet(percent, set_in=set_in)).percents
    ratchet = placed(row, lambda: Ratchet(percents, months, applies_in, by_period))
    row.close()
    return ratchet


def _months(row: Clause) -> frozenset[int]:
    return frozenset(item.whole() for item in row.items())
