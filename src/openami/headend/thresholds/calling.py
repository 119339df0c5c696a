"""Calls people about thresholds: one alert for each threshold and hour, however many commands a storm has.

Pure: words in, alerts out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID, uuid5

from openami.contracts.threshold_word import ThresholdRule, ThresholdWord, WordKind
from openami.kernel.time import EPOCH
from openami.security.watch.alert import Alert

HOUR_MS = 3_600_000
_NAMESPACE = UUID("6c7f0a52-5d0f-4f0b-9f2e-3a3f6f7b9a10")
_RULES = {
    ThresholdRule.REQUESTER_HOUR: "of one requester in an hour",
    ThresholdRule.UTILITY_HOUR: "of all requesters in an hour",
    ThresholdRule.UTILITY_DAY: "of all requesters in a day",
    ThresholdRule.METER_DAY: "of one meter in a day",
    ThresholdRule.FEEDER_METERS: "on feeder {feeder} in a quarter of an hour",
    ThresholdRule.FEEDER_LOAD: "W of feeder {feeder} taken off in a quarter of an hour",
    ThresholdRule.FEEDER_RAMP: "W of feeder {feeder} put on in five minutes",
    ThresholdRule.CLOCK: "s by which a clock would be off",
    ThresholdRule.LIMIT: "as a load limit, below what may be set",
}
_KINDS = {
    WordKind.WARNED: "A threshold is near",
    WordKind.HELD: "The gateway keeps commands that were over a threshold",
    WordKind.REFUSED: "The gateway turns commands away",
}


def alerts_of(words: Iterable[ThresholdWord]) -> list[Alert]:
    """Return the alerts that words ask for, each once, the oldest first."""
    found: dict[UUID, Alert] = {}
    for word in words:
        text = _text(word)
        if text is not None:
            alert = Alert(
                _id(word),
                EPOCH + timedelta(milliseconds=word.at_ms),
                f"threshold_{word.kind.value}",
                text,
                word.order_id,
            )
            found.setdefault(alert.alert_id, alert)
    return sorted(found.values(), key=lambda alert: (alert.at, alert.alert_id))


def _id(word: ThresholdWord) -> UUID:
    of_feeder = word.rule in {ThresholdRule.FEEDER_METERS, ThresholdRule.FEEDER_LOAD, ThresholdRule.FEEDER_RAMP}
    of_person = word.rule is ThresholdRule.REQUESTER_HOUR
    whom = word.feeder if of_feeder else word.requester if of_person else ""
    name = f"{word.kind} {word.rule} {word.gateway_id} {whom} {word.version} {word.at_ms // HOUR_MS}"
    return uuid5(_NAMESPACE, name)


def _text(word: ThresholdWord) -> str | None:
    if word.kind is WordKind.RENEWED:
        return f"Other thresholds hold at gateway {word.gateway_id} from now on: version {word.version}."
    if word.kind is WordKind.BLIND:
        return (
            f"Gateway {word.gateway_id} cannot write down what passes, so that nothing is switched: look at its disk."
        )
    if word.rule is None or word.kind not in _KINDS:
        return None
    what = _RULES[word.rule].format(feeder=word.feeder or "unknown")
    return f"{_KINDS[word.kind]} ({word.effect.name.lower()}): {word.reached} {what}; {word.limit} may be."
