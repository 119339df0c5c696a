"""The rule for energy sent out in a URDB record: ``dgrules`` (version 8) or ``usenetmetering`` (versions 3 to 7).

URDB names the family and at most a price (``sell``). What it leaves open stays open: an excess without a price is
billed with a stamp, so that such a bill is shown and not issued until someone adds the price from the sheet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import ExportKind, ExportPrice, ExportTerms, Netting
from openami.billing.tariff.price import PricePeriod
from openami.billing.tariff.urdb_value import is_present, read_number

_RULES = {
    "Net Metering": (ExportKind.NET_METERING, Netting.BILLING_PERIOD),
    "Net Billing Instantaneous": (ExportKind.NET_BILLING, Netting.REGISTER),
    "Net Billing Hourly": (ExportKind.NET_BILLING, Netting.HOUR),
    "Buy All Sell All": (ExportKind.BUY_ALL, Netting.REGISTER),
}
NOT_SAID = "URDB does not say the price; take it from the sheet"


def read_export(document: Mapping[str, Any], periods: Sequence[PricePeriod]) -> ExportTerms | None:
    """Return the export clause, or None where the record has none.

    Args:
        document: the record.
        periods: its price periods, in its own order.

    Raises:
        TariffError: the rule is not one that URDB has.
    """
    rule = document.get("dgrules")
    if not is_present(rule):
        rule = "Net Metering" if document.get("usenetmetering") is True else None
    if rule is None:
        return None
    if rule not in _RULES:
        raise TariffError("dgrules", f"{str(rule)[:40]!r} is not one of {sorted(_RULES)}")
    kind, netting = _RULES[str(rule)]
    sold = [_sell(f"energyratestructure[{n}]", blocks) for n, blocks in enumerate(document["energyratestructure"])]
    if set(sold) == {None}:
        return ExportTerms(kind, netting, (ExportPrice(None, confidence=NOT_SAID),))
    if len(set(sold)) == 1:
        return ExportTerms(kind, netting, (ExportPrice(sold[0]),))
    prices = tuple(
        ExportPrice(price, period=period.name, confidence="" if price is not None else NOT_SAID)
        for price, period in zip(sold, periods, strict=True)
    )
    return ExportTerms(kind, netting, prices)


def _sell(clause: str, blocks: Any) -> Decimal | None:
    """Return the one price at which a period's energy is bought; None where it is not said, or differs by block."""
    stated = {read_number(f"{clause}[{n}].sell", b["sell"]) for n, b in enumerate(blocks) if is_present(b.get("sell"))}
    return stated.pop() if len(stated) == 1 else None
