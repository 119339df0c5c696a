"""What follows from reports about stolen collectors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from openami.contracts.directive_body import Revoked
from openami.kernel.errors import MisuseError
from openami.kernel.time import EPOCH
from openami.security.access.stolen import (
    MAX_DOUBTED_FOR,
    CollectorReport,
    ReportRefusedError,
    Whereabouts,
    require_sensible,
    revoked_by,
    standing_of,
)

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def report(
    number: int, whereabouts: Whereabouts, from_at: datetime, *, serials: tuple[int, ...] = (), made_at: datetime = NOW
) -> CollectorReport:
    return CollectorReport(
        uuid4(), number, whereabouts, from_at, frozenset(serials), UUID(int=1), made_at, "its box is empty"
    )


def ms(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


STOLEN = report(7, Whereabouts.STOLEN, NOW - 3 * HOUR, serials=(0xA,))
AGAIN = report(7, Whereabouts.STOLEN, NOW - HOUR, serials=(0xB,))
BACK = report(7, Whereabouts.BACK, NOW)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        pytest.param([], Revoked(), id="nobody says anything"),
        pytest.param([STOLEN], Revoked(frozenset({0xA}), {7: ms(NOW - 3 * HOUR)}), id="stolen"),
        pytest.param(
            [STOLEN, AGAIN], Revoked(frozenset({0xA, 0xB}), {7: ms(NOW - 3 * HOUR)}), id="said twice: the earlier time"
        ),
        pytest.param(
            [AGAIN, STOLEN], Revoked(frozenset({0xA, 0xB}), {7: ms(NOW - 3 * HOUR)}), id="found out later: still so"
        ),
        pytest.param(
            [STOLEN, BACK],
            Revoked(frozenset({0xA}), {}, {7: (ms(NOW - 3 * HOUR), ms(NOW))}),
            id="back: its old certificate stays refused",
        ),
        pytest.param(
            [STOLEN, BACK, AGAIN], Revoked(frozenset({0xA, 0xB}), {7: ms(NOW - HOUR)}), id="back and stolen again"
        ),
        pytest.param([BACK], Revoked(), id="back without having been away"),
        pytest.param(
            [STOLEN, report(8, Whereabouts.STOLEN, NOW)],
            Revoked(frozenset({0xA}), {7: ms(NOW - 3 * HOUR), 8: ms(NOW)}),
            id="two of them",
        ),
    ],
)
def test_the_gateway_is_told_what_reports_say(reports: list[CollectorReport], expected: Revoked) -> None:
    assert revoked_by(reports, now=NOW) == expected


def test_a_collector_that_came_back_long_ago_is_doubted_no_more() -> None:
    back = report(7, Whereabouts.BACK, NOW, made_at=NOW)
    assert revoked_by([STOLEN, back], now=NOW + MAX_DOUBTED_FOR) == Revoked(frozenset({0xA}))


def test_reports_that_make_no_sense_are_refused() -> None:
    standing = standing_of([STOLEN])
    require_sensible(Whereabouts.BACK, 7, standing, from_at=NOW, domain_now=NOW)
    require_sensible(Whereabouts.STOLEN, 7, standing, from_at=NOW, domain_now=NOW)
    with pytest.raises(ReportRefusedError, match="future"):
        require_sensible(Whereabouts.STOLEN, 7, standing, from_at=NOW + HOUR, domain_now=NOW)
    for known in ({}, standing_of([STOLEN, BACK])):
        with pytest.raises(ReportRefusedError, match="not reported stolen"):
            require_sensible(Whereabouts.BACK, 7, known, from_at=NOW, domain_now=NOW)


def test_a_report_names_a_collector_and_a_reason() -> None:
    with pytest.raises(MisuseError, match="number from 1"):
        report(0, Whereabouts.STOLEN, NOW)
    with pytest.raises(MisuseError, match="say what happened"):
        CollectorReport(uuid4(), 7, Whereabouts.STOLEN, NOW, frozenset(), UUID(int=1), NOW, "")
