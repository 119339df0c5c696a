"""Editions of rates: one text, one digest; a text that was altered is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openami.billing.edition.record import edition_of, schedule_of
from openami.billing.tariff import TariffError, demonstration_rates, shipped_rates


@pytest.mark.parametrize("code", sorted(shipped_rates()))
def test_an_edition_gives_back_the_rate_that_it_was_made_of(code: str) -> None:
    schedule = demonstration_rates()[code]
    edition = edition_of(schedule)
    assert schedule_of(edition) == schedule
    assert edition == edition_of(schedule_of(edition))
    assert edition.digest != edition_of(shipped_rates()[code]).digest


def test_a_text_that_was_altered_is_refused() -> None:
    edition = edition_of(shipped_rates()["ameren-mo-anytime"])
    with pytest.raises(TariffError, match="another digest"):
        schedule_of(replace(edition, text=edition.text.replace("0.1560", "0.0560")))
