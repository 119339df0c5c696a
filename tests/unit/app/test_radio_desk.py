"""The radio of a customer's meter: of their own time, all radios together, and honest about what was not counted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from openami.app.web.radio import DISTANCES_FT, RadioDesk, known_radios
from openami.contracts.airtime import AirtimeDay
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.portal.views.radio import MeterRadioView
from openami.security.access.scope import Purpose, Scope, ScopeError, granted_scope

NOW = datetime(2026, 7, 10, 12, tzinfo=UTC)
PLACE, ELSEWHERE = UUID(int=1), UUID(int=2)
OLD, NEW = SystemTitle(b"OAM\x00\x00\x00\x00\x01"), SystemTitle(b"OAM\x00\x00\x00\x00\x02")
EXCHANGED = NOW - timedelta(days=5)


def hung(title: SystemTitle, start: datetime, end: datetime | None, *, profile: str = "oam-1") -> Any:
    return SimpleNamespace(
        meter=SimpleNamespace(serial=str(title)[-2:], system_title=title.octets, profile=profile, is_virtual=False),
        installation=SimpleNamespace(start=start, end=end),
    )


class Data:
    """One place whose meter was exchanged five days ago."""

    def __init__(self, *, profile: str = "oam-1") -> None:
        self.hung = [hung(OLD, NOW - timedelta(days=400), EXCHANGED), hung(NEW, EXCHANGED, None, profile=profile)]

    async def installed(self, scope: Scope, service_point_id: UUID, period: Period) -> list[Any]:
        scope.require(frozenset({service_point_id}))
        return [
            h for h in self.hung
            if h.installation.start < period.end and (h.installation.end or period.end) > period.start
        ]  # fmt: skip


class Airtime:
    """Each device sent 900 ms in its worst 30 minutes of each day, and 60 s on the day of the exchange."""

    def __init__(self) -> None:
        self.asked: list[tuple[SystemTitle, date, date]] = []

    async def days(self, title: SystemTitle, first: date, last: date) -> list[AirtimeDay]:
        self.asked.append((title, first, last))
        days = [last - timedelta(days=n) for n in range((last - first).days + 1)]
        return [AirtimeDay(title, d, 2_000, 3_000, 500, 60_000 if d == EXCHANGED.date() else 900) for d in days]


async def radio(
    *,
    since: datetime,
    until: datetime | None = None,
    place: UUID = PLACE,
    profile: str = "oam-1",
    counted: bool = True,
    radios: Path = Path("nowhere"),
) -> tuple[MeterRadioView, Airtime]:
    airtime = Airtime()
    if not counted:
        airtime.days = lambda *_: _nothing()  # type: ignore[method-assign]
    desk = RadioDesk(cast("Any", Data(profile=profile)), cast("Any", airtime), known_radios(radios), clock())
    scope = granted_scope(
        actor="user:x",
        purpose=Purpose.OWN_DATA,
        service_points=frozenset({PLACE}),
        audit_id=uuid4(),
        periods={PLACE: (Period(since, until or datetime(9999, 1, 1, tzinfo=UTC)),)},
    )
    return await desk.radio_at(scope, place), airtime


async def _nothing() -> list[AirtimeDay]:
    return []


def clock() -> FixedClock:
    return FixedClock(NOW)


async def test_the_meter_that_hangs_now_is_shown_with_the_worst_window_of_its_own_days() -> None:
    view, airtime = await radio(since=NOW - timedelta(days=90))
    assert view.serial == "02"
    assert airtime.asked == [(NEW, EXCHANGED.date(), NOW.date())]
    assert view.worst_window_s == 60
    assert [(d.own_s, d.relayed_s, d.beacon_s) for d in view.days[:1]] == [(2, 3, 0.5)]


async def test_whoever_moved_out_sees_the_meter_and_the_days_of_their_own_time() -> None:
    view, airtime = await radio(since=NOW - timedelta(days=90), until=NOW - timedelta(days=20))
    assert view.serial == "01"
    (asked,) = airtime.asked
    assert asked[0] == OLD
    assert asked[2] < (NOW - timedelta(days=20)).date() + timedelta(days=1)


async def test_another_place_is_not_shown() -> None:
    with pytest.raises(ScopeError):
        await radio(since=NOW - timedelta(days=90), place=ELSEWHERE)


async def test_the_figures_are_the_formulas_with_reflection_and_the_counted_duty() -> None:
    view, _ = await radio(since=NOW - timedelta(days=90))
    at = view.distance_ft.index(3)
    assert tuple(view.distance_ft) == DISTANCES_FT
    # 1 W, 2.15 dBi, 3 ft, limit 902 / 1500 mW/cm²; 60 s of 1,800 s on the air.
    assert view.plain.while_sending_uw_cm2[at] == pytest.approx(15.614, rel=1e-3)
    assert view.plain.while_sending_share[at] == pytest.approx(15.614 / 601.33, rel=1e-3)
    assert view.reflected.while_sending_uw_cm2[at] == pytest.approx(2.56 * view.plain.while_sending_uw_cm2[at])
    assert view.reflected.average_share[at] == pytest.approx(view.reflected.while_sending_share[at] * 60 / 1800)
    assert view.radios[0].limit_uw_cm2 == pytest.approx(601.33, rel=1e-4)


async def test_without_counts_there_is_no_average_and_none_is_made_up() -> None:
    view, _ = await radio(since=NOW - timedelta(days=90), counted=False)
    assert view.worst_window_s is None
    assert view.reflected.average_uw_cm2 == []
    assert len(view.reflected.while_sending_uw_cm2) == len(DISTANCES_FT)


async def test_of_a_model_without_a_grant_nothing_is_said() -> None:
    view, _ = await radio(since=NOW - timedelta(days=2), profile="kamstrup")
    assert view.radios == []
    assert view.plain.while_sending_uw_cm2 == []


async def test_two_radios_of_a_meter_count_together_each_against_its_own_limit(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(_two_radios())
    view, _ = await radio(since=NOW - timedelta(days=2), profile="acme", radios=tmp_path)
    one, other = view.radios
    sending = [0.01 * r.power_w * 10 ** (r.gain_dbi / 10) / (4 * 3.14159265 * 0.3048**2) * 1e4 for r in (one, other)]
    assert view.plain.while_sending_uw_cm2[0] == pytest.approx(sum(sending), rel=1e-6)
    shares = [s / r.limit_uw_cm2 for s, r in zip(sending, (one, other), strict=True)]
    assert view.plain.while_sending_share[0] == pytest.approx(sum(shares), rel=1e-6)


async def test_a_utilitys_file_that_is_wrong_is_left_out_and_the_page_still_works(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(_two_radios().replace("power_w = 0.1", "power_w = -1"))
    assert [g.name for g in known_radios(tmp_path)] == ["Mesh radio"]


def _two_radios() -> str:
    row = '[[radio]]\nname = "{}"\ndoes = "x"\nmeters = ["acme"]\npower_w = {}\ngain_dbi = 2\n'
    band = 'low_mhz = {}\nhigh_mhz = {}\ngrant = "X"\n'
    return (row + band).format("Mesh", 1, 902, 928) + (row + band).format("Home", 0.1, 2400, 2480)
