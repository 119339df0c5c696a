"""What one bill hands to the next survives its JSON, and a broken document says where."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from openami.billing.rating.carried import BankedCredit, Carried, MonthPeak, YearToDate
from openami.billing.rating.carried_document import carried_document, parse_carried
from openami.billing.rating.errors import UsageError

FULL = Carried(
    bank=(
        BankedCredit(date(2026, 4, 1), date(2026, 4, 29), "off-peak", wh=120_500),
        BankedCredit(date(2026, 5, 1), date(2026, 5, 29), amount=Decimal("3.10")),
    ),
    peaks=(MonthPeak(date(2026, 7, 1), "Demand", "Summer 6 to 22", 7_412, 1_783_000_800),),
    remainder_wh=-412,
    received_remainder_wh=17,
    year_to_date=YearToDate(date(2026, 1, 1), 151, 3_100_000, Decimal("411.20"), Decimal(0)),
)


@pytest.mark.parametrize("carried", [Carried(), FULL], ids=["neutral", "everything"])
def test_carried_state_survives_its_document(carried: Carried) -> None:
    assert parse_carried(json.loads(json.dumps(carried_document(carried)))) == carried


def test_what_a_document_leaves_out_is_neutral() -> None:
    assert parse_carried({}) == Carried()


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "carried:"),
        ({"bank": {}}, "carried.bank:"),
        ({"bank": [{"month": "x", "earned_on": "2026-01-01"}]}, "carried.bank[0].month:"),
        ({"bank": [{"month": "2026-01-01", "earned_on": "2026-01-31", "wh": -1}]}, "carried.bank[0]:"),
        ({"bank": [{"month": "2026-01-01", "earned_on": "2026-01-31", "amount": "NaN"}]}, "carried.bank[0].amount:"),
        (
            {"bank": [{"month": "2026-01-01", "earned_on": "2026-01-31", "wh": 1, "amount": "1"}]},
            "carried.bank[0]: a credit is energy or money",
        ),
        ({"peaks": [{"month": "2026-01-01", "w": "7"}]}, "carried.peaks[0].w:"),
        ({"remainder_wh": True}, "carried.remainder_wh:"),
        ({"year_to_date": {"charged": "ten"}}, "carried.year_to_date.charged:"),
    ],
    ids=["no object", "no list", "no date", "negative", "no amount", "both", "text for watts", "a truth", "words"],
)
def test_a_broken_document_says_where(document: object, place: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_carried(document)
    assert str(refusal.value).startswith(place)
