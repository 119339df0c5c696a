"""A rate that is written reads back as the same rate, whatever file it came from."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.unit.billing.test_rate_files import WHOLE

from openami.billing.tariff import RateSchedule, TariffError, parse_rate, shipped_rates
from openami.billing.tariff.native_write import rate_document


def _again(schedule: RateSchedule) -> RateSchedule:
    return parse_rate(json.dumps(rate_document(schedule)).encode(), code="other")


def test_every_clause_survives_being_written() -> None:
    schedule = parse_rate(WHOLE.encode(), code="x")
    assert _again(schedule) == schedule


@pytest.mark.parametrize("code", sorted(shipped_rates()))
def test_a_shipped_rate_survives_being_written(code: str) -> None:
    schedule = shipped_rates()[code]
    assert _again(schedule) == schedule


def test_every_rate_of_another_format_can_be_written_as_ours_and_the_schema_accepts_it(shared_data: Path) -> None:
    text = (files("openami.billing") / "rates" / "schema" / "openami-rate-2.schema.json").read_text()
    schema: dict[str, Any] = json.loads(text)
    written = 0
    for place in sorted((shared_data / "tariffs" / "urdb").glob("*.json")):
        try:
            schedule = parse_rate(place.read_bytes(), code=place.stem)
        except TariffError:
            continue
        jsonschema.validate(rate_document(schedule), schema)
        assert _again(schedule) == schedule, place.name
        written += 1
    assert written > 20
