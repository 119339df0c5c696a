"""Calls people about collectors: one alert for each finding that a thief may have caused. Pure.

A finding that probably is an outage is shown and calls nobody, so that a storm does not bury a theft.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID, uuid5

from openami.headend.collectors.finding import SECURITY_RULES, CollectorRule, Condition
from openami.kernel.finding import Severity
from openami.kernel.time import EPOCH
from openami.security.watch.alert import Alert

_NAMESPACE = UUID("2f4f2c9b-60b7-4d4e-8f0d-7f6a35b4c7d1")
Evidence = Mapping[str, int | float | str]
_WORDS: Mapping[CollectorRule, Callable[[int, Evidence], str]] = {
    CollectorRule.STOLEN: lambda n, _: (
        f"Collector {n} was reported stolen. The gateway turns it away; what it brings of the time since is kept aside."
    ),
    CollectorRule.SILENT: lambda n, _: f"Collector {n} missed three heartbeats, by itself: it may be stolen.",
    CollectorRule.ENCLOSURE_OPEN: lambda n, _: f"The enclosure of collector {n} was opened.",
    CollectorRule.BRINGS_REFUSED: lambda n, e: (
        f"Collector {n} brings frames that nobody may take, {e.get('refused', 0)} so far: damaged or in the clear."
    ),
    CollectorRule.MOVED: lambda n, e: f"Collector {n} is {e.get('distance_m', '?')} m from where it was put up.",
    CollectorRule.OTHER_CELL: lambda n, _: f"Another mobile cell carries collector {n} than where it was put up.",
}


def alert_of(condition: Condition) -> Alert | None:
    """Return the alert that a new finding asks for, or None."""
    if condition.rule not in SECURITY_RULES or condition.severity is not Severity.FAIL:
        return None
    words = _WORDS[condition.rule](condition.collector_id, condition.evidence)
    at = EPOCH + timedelta(milliseconds=condition.since_ms)
    alert_id = uuid5(_NAMESPACE, f"{condition.rule.value} {condition.collector_id} {condition.since_ms}")
    return Alert(alert_id, at, condition.rule.value, words)
