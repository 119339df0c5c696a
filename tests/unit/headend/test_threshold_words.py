"""Words of the gateway become few alerts in plain sentences; a word is kept once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import pytest

from openami.contracts.command import CommandEffect
from openami.contracts.threshold_word import ThresholdRule, ThresholdWord, WordKind
from openami.headend.thresholds.calling import HOUR_MS, alerts_of
from openami.headend.thresholds.watch import OVERLAP, ThresholdWatch
from openami.kernel.ids import SystemTitle
from openami.kernel.time import EPOCH
from openami.security.watch.alert import Alert, AlertsUnavailableError

T0 = 500_000 * HOUR_MS
HELD = ThresholdWord(
    WordKind.HELD,
    T0,
    1,
    0,
    rule=ThresholdRule.REQUESTER_HOUR,
    reached=11,
    limit=10,
    held_id=UUID(int=1),
    title=SystemTitle(b"OAM\0\0\0\0\1"),
    effect=CommandEffect.DISCONNECT,
    order_id=UUID(int=4),
    requester=UUID(int=5),
    feeder=12,
)


def of_meter(number: int, **changes: object) -> ThresholdWord:
    changed = {"held_id": UUID(int=number), "title": SystemTitle(number.to_bytes(8)), **changes}
    return replace(HELD, **changed)  # type: ignore[arg-type]  # fields of the test's own making


@pytest.mark.attack("A14", "A33")
def test_a_storm_is_one_alert_an_hour_for_each_threshold_and_requester() -> None:
    storm = [of_meter(n, at_ms=T0 + n) for n in range(490)]
    [alert] = alerts_of(storm)
    assert alert.words == (
        "The gateway keeps commands that were over a threshold (disconnect): 11 of one requester in an hour; 10 may be."
    )
    assert alert.at == EPOCH.fromtimestamp(T0 / 1000, tz=EPOCH.tzinfo)
    others = [of_meter(1), of_meter(2, requester=UUID(int=6)), of_meter(3, at_ms=T0 + HOUR_MS)]
    assert len(alerts_of(others)) == 3
    assert alerts_of(storm)[0].alert_id == alerts_of(storm[5:])[0].alert_id


@pytest.mark.parametrize(
    ("word", "words"),
    [
        pytest.param(replace(HELD, kind=WordKind.RELEASED), None, id="released"),
        pytest.param(
            replace(HELD, kind=WordKind.WARNED, rule=ThresholdRule.FEEDER_LOAD, reached=800_000, limit=1_000_000),
            "A threshold is near (disconnect): "
            "800000 W of feeder 12 taken off in a quarter of an hour; 1000000 may be.",
            id="near",
        ),
        pytest.param(
            replace(HELD, kind=WordKind.REFUSED, rule=ThresholdRule.FEEDER_METERS, feeder=0),
            "The gateway turns commands away (disconnect): 11 on feeder unknown in a quarter of an hour; 10 may be.",
            id="an unknown feeder",
        ),
        pytest.param(
            ThresholdWord(WordKind.RENEWED, T0, 1, 7),
            "Other thresholds hold at gateway 1 from now on: version 7.",
            id="renewed",
        ),
        pytest.param(
            ThresholdWord(WordKind.BLIND, T0, 1, 7),
            "Gateway 1 cannot write down what passes, so that nothing is switched: look at its disk.",
            id="blind",
        ),
    ],
)
def test_what_people_read(word: ThresholdWord, words: str | None) -> None:
    assert [alert.words for alert in alerts_of([word])] == ([] if words is None else [words])


@dataclass
class Engines:
    """Stream, book and alerts of a test."""

    stream: list[ThresholdWord] = field(default_factory=list)
    kept: dict[bytes, ThresholdWord] = field(default_factory=dict)
    alerts: dict[UUID, Alert] = field(default_factory=dict)
    at: int = 0
    asked: list[datetime | None] = field(default_factory=list)
    is_away: bool = False

    async def read(self, *, since: datetime | None) -> list[ThresholdWord]:
        self.asked.append(since)
        words, self.at = self.stream[self.at :], len(self.stream)
        return words

    async def close(self) -> None:
        self.at = 0

    async def note(self, words: list[ThresholdWord]) -> list[ThresholdWord]:
        new = [w for w in words if w.encode() not in self.kept]
        self.kept |= {w.encode(): w for w in new}
        return new

    async def newest_at(self) -> datetime | None:
        return max((a.at for a in self.alerts.values()), default=None) if self.kept else None

    async def raise_alert(self, alert: Alert) -> None:
        if self.is_away:
            raise AlertsUnavailableError("away")
        self.alerts.setdefault(alert.alert_id, alert)

    def watch(self) -> ThresholdWatch:
        return ThresholdWatch(self, self, alerts=self)  # type: ignore[arg-type]  # three ports in one


async def test_a_database_that_is_away_costs_no_word() -> None:
    engines = Engines(stream=[of_meter(1), of_meter(2)])
    watch = engines.watch()
    engines.is_away = True
    with pytest.raises(AlertsUnavailableError):
        await watch.look()
    assert engines.kept == {}
    engines.is_away = False
    await watch.look()
    assert (len(engines.kept), len(engines.alerts)) == (2, 1)


async def test_a_head_end_that_starts_again_reads_some_again_and_keeps_them_once() -> None:
    engines = Engines(stream=[of_meter(1)])
    await engines.watch().look()
    engines.at = 0
    await engines.watch().look()
    assert (len(engines.kept), len(engines.alerts)) == (1, 1)
    first, second = engines.asked
    assert first is None
    assert second == alerts_of([HELD])[0].at - OVERLAP
