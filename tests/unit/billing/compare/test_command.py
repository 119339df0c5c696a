"""``openami compare`` on files: parts of a cost, assumptions with their labels, and what would have to be true."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.billing.compare.made import YEAR, home

from openami.app.commands.compare import compare_intervals
from openami.app.commands.compare_words import assumptions_of, break_even_sentence
from openami.billing.compare.assumption import AssumptionError
from openami.kernel.errors import MisuseError
from openami.kernel.time import instant_from_epoch_s

RATES = Path(__file__).parents[4] / "src" / "openami" / "billing" / "rates"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of three rates, and a summer of quarter-hours."""
    folder = tmp_path_factory.mktemp("compare")
    rates = folder / "rates"
    rates.mkdir()
    for name in ("anytime", "smart", "ultimate"):
        source = next(RATES.glob(f"ameren-mo-{name}.*"))
        (rates / source.name).write_bytes(source.read_bytes())
    usage = home(YEAR[7:10])
    rows = zip(usage.start_s.tolist(), usage.wh.tolist(), strict=True)
    text = "start,value\n" + "".join(f"{instant_from_epoch_s(s).isoformat()},{v}\n" for s, v in rows)
    (folder / "usage.csv").write_text(text)
    return rates, folder / "usage.csv"


def document(files: tuple[Path, Path], **more: Any) -> dict[str, Any]:
    return compare_intervals(
        tariffs=files[0], intervals=files[1], first="2026-06-01", end="2026-09-01", tz="America/Chicago", **more
    )


def test_the_parts_add_up_and_demand_names_its_five_highest_hours(files: tuple[Path, Path]) -> None:
    found = document(files, present="ameren-mo-anytime", break_even=True)
    for row in found["rates"]:
        assert sum(Decimal(p["amount"]) for p in row["parts"]) == Decimal(row["total"])
        assert Decimal(row["total"]) < Decimal(row["year"]["low"]) <= Decimal(row["year"]["high"])
    ultimate = next(r for r in found["rates"] if r["tariff"].startswith("ameren-mo-ultimate"))
    assert [len(d["highest"]) for d in ultimate["demand"]] == [5, 5, 5]
    assert len(found["unseen"]) == 9
    assert {b["tariff"] for b in found["break_even"]} == {r["tariff"] for r in found["rates"]} - {"ameren-mo-anytime"}
    assert all(break_even_sentence(b).startswith(b["tariff"]) for b in found["break_even"])


def test_an_assumption_is_labelled_and_costs_more_without_changing_what_was_measured(files: tuple[Path, Path]) -> None:
    plain, more = document(files), document(files, vehicle="10@22:00-06:00", heat_pump="3000", shift="20")
    assert [a.split(":")[0] for a in more["assumptions"]] == ["Assumed"] * 3
    assert plain["assumptions"] == []
    assert more["coverage"] == plain["coverage"]
    totals = {r["tariff"]: Decimal(r["total"]) for r in plain["rates"]}
    assert all(Decimal(r["total"]) > totals[r["tariff"]] for r in more["rates"])


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (("10", None, None), MisuseError),
        (("10@25:00-06:00", None, None), MisuseError),
        (("1.1.1@22:00-06:00", None, None), MisuseError),
        (("10@22:00-22:00", None, None), AssumptionError),
        (("500@22:00-06:00", None, None), AssumptionError),
        ((None, "NaN", None), MisuseError),
        ((None, "-3", None), AssumptionError),
        ((None, None, "101"), AssumptionError),
        ((None, None, "a lot"), MisuseError),
    ],
    ids=str,
)
def test_an_assumption_out_of_its_range_is_refused(
    given: tuple[str | None, str | None, str | None], error: type[Exception]
) -> None:
    with pytest.raises(error):
        assumptions_of(*given)


def test_what_would_have_to_be_true_needs_the_present_rate(files: tuple[Path, Path]) -> None:
    with pytest.raises(MisuseError, match="--present"):
        document(files, break_even=True)
