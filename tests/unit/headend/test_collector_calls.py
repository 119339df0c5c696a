"""Which findings about collectors call people."""

from __future__ import annotations

import pytest

from openami.headend.collectors.calling import alert_of
from openami.headend.collectors.finding import SECURITY_RULES, CollectorRule, Condition
from openami.kernel.finding import Severity


@pytest.mark.attack("A33")
@pytest.mark.parametrize("rule", CollectorRule)
def test_what_a_thief_may_have_caused_calls_people_and_an_outage_does_not(rule: CollectorRule) -> None:
    serious = alert_of(Condition(7, rule, Severity.FAIL, 1_000))
    assert (serious is not None) == (rule in SECURITY_RULES)
    assert alert_of(Condition(7, rule, Severity.WARN, 1_000)) is None
    if serious is not None:
        assert "7" in serious.words
        assert serious == alert_of(Condition(7, rule, Severity.FAIL, 1_000)), "said again, it is one alert"
        assert serious.alert_id != alert_of(Condition(8, rule, Severity.FAIL, 1_000)).alert_id  # type: ignore[union-attr] # as above
