"""The template path reads a push exactly as the generic path does, whichever layout it has, or leaves it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openami.headend.inspection.telegram import Framing, Keys, apdus_of, decode_telegram
from openami.headend.profiles import (
    FastLayouts,
    PushColumns,
    PushKind,
    UnknownProfileError,
    decode_batch,
    interpret,
    load_profiles,
    profile_names,
    profile_of,
    registry,
    rows_of,
)
from openami.headend.profiles.fast import MAX_SHAPES, MAX_TEMPLATES, WORTH_LEARNING
from openami.kernel.obis import Obis
from openami.kernel.time import epoch_s
from openami.protocol import apdu
from openami.protocol.axdr import Data, Tag, array, null, octet_string, structure, u16, u32, visible_string
from openami.protocol.cosem import CosemDateTime, date_time_from_utc
from openami.protocol.errors import PeerError
from openami.protocol.push import EventRow, LoadProfileRow, RegisterRow, event_body, load_profile_body, register_body
from openami.security.suites.gcm import decrypt_unverified

ZONE = ZoneInfo("America/Chicago")
END = datetime(2026, 3, 1, 0, 15, tzinfo=UTC)

u32s = st.integers(0, 2**32 - 1)
instants = st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)).map(  # noqa: DTZ001 - zone is set next
    lambda d: d.replace(tzinfo=UTC, microsecond=0)
)
clocks = st.one_of(
    instants.map(date_time_from_utc),
    st.builds(lambda at, minutes: date_time_from_utc(at, deviation_minutes=minutes), instants, st.integers(-720, 720)),
    # No deviation: the zone says it; a status with and without daylight saving; wildcards where they may stand.
    st.builds(
        CosemDateTime,
        st.integers(1999, 2101),
        st.integers(0, 13),
        st.integers(0, 32),
        st.just(0xFF),
        st.integers(0, 24),
        st.integers(0, 60),
        st.sampled_from((0, 30, 0xFF)),
        st.sampled_from((0, 50, 100, 0xFF)),
        st.sampled_from((-0x8000, 0, 60)),
        st.sampled_from((0, 0x80, 0xFF)),
    ),
)


class Row(NamedTuple):
    """One stored value: (kind, instant, interval, status, channel, value)."""

    kind: str
    at: int
    interval_s: int
    status: int
    channel: int
    value: int


def generic(plaintext: bytes, profile: str) -> list[Row] | None:
    """Rows as the generic path gives them; None where it refuses."""
    try:
        notification = apdu.decode(plaintext)
        assert isinstance(notification, apdu.DataNotification)
        found = rows_of(interpret(notification, profile=profile), zone=ZONE)
    except (PeerError, UnknownProfileError, AssertionError):
        return None
    rows = [
        Row("interval", epoch_s(r.start), r.interval_s, r.status, channel, value)
        for r in found.intervals
        for channel, value in r.values
    ]
    rows += [Row("register", epoch_s(r.at), 0, 0, r.channel, r.value) for r in found.registers]
    return sorted(rows)


def rows_in(columns: PushColumns, message: int) -> Iterator[Row]:
    kind = "interval" if columns.kind is PushKind.LOAD_PROFILE else "register"
    for at in np.flatnonzero(columns.message == message).tolist():
        for row in range(columns.stamp.shape[1]):
            for channel, values in columns.values:
                stamp, status = int(columns.stamp[at, row]), int(columns.status[at, row])
                yield Row(kind, stamp, columns.interval_s, status, channel, int(values[at, row]))


def check(plaintexts: Sequence[bytes], profile: str, layouts: FastLayouts) -> int:
    """Hold both paths equal and return how many pushes went the fast way."""
    parts, left = decode_batch(plaintexts, profile=profile, zone=ZONE, layouts=layouts)
    fast = sorted(m for p in parts for m in p.message.tolist())
    assert sorted([*fast, *left.tolist()]) == list(range(len(plaintexts))), "each push goes one way, once"
    for message in fast:
        read = sorted(row for part in parts for row in rows_in(part, message))
        assert read == generic(plaintexts[message], profile)
    return len(fast)


def number_like(tag: Tag) -> st.SearchStrategy[Data]:
    spans = {
        Tag.UNSIGNED: (0, 2**8 - 1),
        Tag.INTEGER: (-(2**7), 2**7 - 1),
        Tag.ENUM: (0, 2**8 - 1),
        Tag.LONG: (-(2**15), 2**15 - 1),
        Tag.LONG_UNSIGNED: (0, 2**16 - 1),
        Tag.DOUBLE_LONG: (-(2**31), 2**31 - 1),
        Tag.DOUBLE_LONG_UNSIGNED: (0, 2**32 - 1),
        Tag.LONG64: (-(2**63), 2**63 - 1),
        Tag.LONG64_UNSIGNED: (0, 2**64 - 1),
    }
    return st.integers(*spans[tag]).map(lambda value: Data(tag, value))


tags = st.sampled_from(
    (Tag.UNSIGNED, Tag.LONG_UNSIGNED, Tag.DOUBLE_LONG_UNSIGNED, Tag.LONG64_UNSIGNED, Tag.DOUBLE_LONG)
)


@cache
def layouts_of_the_registry() -> tuple[tuple[str, Obis | int], ...]:
    """Every layout by place that a shipped profile has: (profile, push setup or number of values)."""
    found: list[tuple[str, Obis | int]] = []
    for name in profile_names():
        profile = profile_of(name)
        found += [(name, setup) for setup in profile.rows]
        found += [(name, count) for count in profile.positional]
        found += [(name, setup) for setup in profile.listed]
    return tuple(found)


def members(columns: Sequence[Obis], draw: st.DrawFn) -> Callable[[st.DrawFn], list[Data]]:
    """Settle the types of a layout once and return what draws the values of one row of it."""
    drawn: list[st.SearchStrategy[Data]] = []
    for obis in columns:
        if obis.octets[2:4] == b"\x19\x09":
            drawn.append(st.just(octet_string(obis.octets)))
        elif obis.octets[2:4] == b"\x01\x00":
            drawn.append(clocks.map(lambda clock: octet_string(clock.encode())))
        elif obis.octets[2:4] == b"\x60\x01" or obis.octets[3] == 2:
            size = draw(st.sampled_from((7, 12, 16)))
            drawn.append(st.text("AB19", min_size=size, max_size=size).map(visible_string))
        else:
            drawn.append(number_like(draw(tags)))

    def row(draw: st.DrawFn) -> list[Data]:
        return [draw(datum) for datum in drawn]

    return row


@st.composite
def batches(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """Pushes of one layout of the registry, some with nulls, other lengths or spoiled octets."""
    profile, key = draw(st.sampled_from(layouts_of_the_registry()))
    known = profile_of(profile)
    rows_layout = known.rows.get(key) if isinstance(key, Obis) else None
    if rows_layout is not None:
        row = members(rows_layout.columns, draw)
        counts = draw(st.sampled_from(((1,), (4,), (1, 3), (0, 2))))
    else:
        row = members((known.listed[key] if isinstance(key, Obis) else known.positional[key]).objects, draw)
    at = draw(st.booleans())
    plaintexts = []
    for _ in range(draw(st.integers(1, 3 * WORTH_LEARNING))):
        if rows_layout is not None:
            rows = [row(draw) for _ in range(draw(st.sampled_from(counts)))]
            if rows and draw(st.integers(0, 9)) == 0:
                rows[-1][-1] = null()
            body = structure(octet_string(rows_layout.push_setup.octets), array(*(structure(*r) for r in rows)))
        else:
            body = structure(*row(draw))
        octets = bytearray(apdu.encode(apdu.DataNotification(draw(u32s), draw(clocks) if at else None, body)))
        if draw(st.integers(0, 3)) == 0:
            octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
        plaintexts.append(bytes(octets))
    return profile, plaintexts


@given(batches())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_both_paths_say_the_same_of_every_layout_of_the_registry(batch: tuple[str, list[bytes]]) -> None:
    profile, plaintexts = batch
    layouts = FastLayouts()
    check(plaintexts, profile, layouts)
    # What was learned changes nothing but the speed.
    check(plaintexts[::-1], profile, layouts)


def load_profile(rows: int, *, seed: int = 0, at: datetime | None = None) -> bytes:
    body = load_profile_body(
        [
            LoadProfileRow(END + i * timedelta(minutes=15), i, 100 * seed + i, i, (2401 + seed + i) % 2**16)
            for i in range(rows)
        ]
    )
    stamp = None if at is None else date_time_from_utc(at)
    return apdu.encode(apdu.DataNotification(seed, stamp, body))


def test_healthy_pushes_take_the_fast_path_with_the_start_of_their_intervals() -> None:
    plaintexts = [load_profile(4, seed=7 + i, at=END) for i in range(WORTH_LEARNING)]
    (columns,), left = decode_batch(plaintexts, profile="oam-1", zone=None, layouts=FastLayouts())
    assert not len(left)
    assert columns.message.tolist() == [0, 1, 2, 3]
    assert columns.stamp[0].tolist() == [epoch_s(END) - 900 + 900 * i for i in range(4)]
    assert [(c.name, v[0].tolist()) for c, v in columns.values] == [
        ("DELIVERED", [700, 701, 702, 703]),
        ("RECEIVED", [0, 1, 2, 3]),
        ("VOLTAGE", [2408, 2409, 2410, 2411]),
    ]
    assert columns.status[0].tolist() == [0, 1, 2, 3]
    assert columns.interval_s == 900


def test_lengths_events_and_registers_in_one_batch_each_go_their_way() -> None:
    registers = [
        apdu.encode(apdu.DataNotification(n, None, register_body([RegisterRow(END, 1_000 + n, n)]))) for n in range(5)
    ]
    events = [apdu.encode(apdu.DataNotification(n, None, event_body([EventRow(END, 0, n)]))) for n in range(5)]
    mixed = [p for i in range(5) for p in (load_profile(4, seed=i), registers[i], events[i], load_profile(1, seed=i))]
    assert check(mixed, "oam-1", FastLayouts()) == 15


def test_a_clock_with_another_deviation_is_read_in_columns_too() -> None:
    plain = [load_profile(1, seed=n) for n in range(8)]
    local = date_time_from_utc(END, deviation_minutes=360).encode()
    changed = [p.replace(date_time_from_utc(END).encode(), local) for p in plain]
    assert changed != plain
    assert check(changed, "oam-1", FastLayouts()) == 8
    assert generic(changed[0], "oam-1") == generic(plain[0], "oam-1")


@pytest.mark.parametrize("tag", [Tag.DOUBLE_LONG_UNSIGNED, Tag.INTEGER], ids=["32 bits", "signed"])
def test_a_status_that_its_column_cannot_hold_is_left_and_refused(tag: Tag) -> None:
    setup = Obis.from_text("0.1.25.9.0.255")

    def push(status: int) -> bytes:
        row = structure(octet_string(date_time_from_utc(END).encode()), Data(tag, status), u32(1), u32(2), u16(3))
        body = structure(octet_string(setup.octets), array(row))
        return apdu.encode(apdu.DataNotification(1, None, body))

    wrong = -1 if tag is Tag.INTEGER else 2**16
    plaintexts = [push(0)] * WORTH_LEARNING + [push(wrong)]
    assert check(plaintexts, "oam-1", FastLayouts()) == WORTH_LEARNING
    assert generic(plaintexts[-1], "oam-1") is None


def test_a_text_that_looks_like_a_clock_in_another_push_is_left() -> None:
    """Kaifa's list of eighteen: a twelve-octet serial number before the clock would become the push's clock."""
    objects = profile_of("kaifa-ma").positional[18].objects

    def push(serial: bytes) -> bytes:
        values = [visible_string("KFM_001"), octet_string(serial), *[u32(n) for n in range(len(objects) - 2)]]
        values[objects.index(Obis.from_text("0.0.1.0.0.255"))] = octet_string(date_time_from_utc(END).encode())
        return apdu.encode(apdu.DataNotification(1, None, structure(*values)))

    other = date_time_from_utc(END + timedelta(days=1)).encode()
    plaintexts = [push(b"697063140182")] * WORTH_LEARNING + [push(other)]
    assert check(plaintexts, "kaifa-ma", FastLayouts()) == WORTH_LEARNING
    assert generic(plaintexts[-1], "kaifa-ma") != generic(plaintexts[0], "kaifa-ma")


ODD_PROFILE = """
inherits = "dlms"
[[layout]]
kind = "instant"
push_setup = "0.1.25.9.0.255"
objects = ["0.1.25.9.0.255", "0.0.1.0.0.255", "1.0.1.8.0.255", "1.0.2.8.0.255"]
[[layout]]
kind = "instant"
push_setup = "0.2.25.9.0.255"
objects = ["0.2.25.9.0.255", "0.0.1.0.0.255", "1.0.2.8.0.255", "1.0.1.8.0.255"]
[registers]
"1.0.1.8.0.255" = "delivered"
"1.0.2.8.0.255" = "received"
[scale]
"1.0.1.8.0.255" = [0, 30]
"1.0.2.8.0.255" = [0, 30]
[clock]
"""


def odd_pushes(clock: CosemDateTime, setups: Sequence[str]) -> list[bytes]:
    stamp = octet_string(clock.encode())
    bodies = [
        structure(octet_string(Obis.from_text(s).octets), stamp, u32(n), u32(50 + n)) for n, s in enumerate(setups)
    ]
    return [apdu.encode(apdu.DataNotification(1, None, body)) for body in bodies]


def test_a_push_of_another_setup_is_another_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    profiles = load_profiles({"dlms": "", "odd": ODD_PROFILE})
    monkeypatch.setattr(registry, "shipped_profiles", lambda: profiles)
    setups = ["0.1.25.9.0.255"] * WORTH_LEARNING + ["0.2.25.9.0.255"] * WORTH_LEARNING
    layouts = FastLayouts()
    assert check(odd_pushes(date_time_from_utc(END), setups), "odd", layouts) == WORTH_LEARNING
    assert check(odd_pushes(date_time_from_utc(END), setups), "odd", layouts) == 2 * WORTH_LEARNING


@pytest.mark.parametrize("rule", ["", 'deviation = "reversed"', 'deviation = "ignored"', "trusts_status = false"])
@pytest.mark.parametrize("deviation", [0, 120, -0x8000])
@pytest.mark.parametrize("status", [0, 0x80, 0xFF])
def test_a_clock_is_read_in_columns_as_the_model_fills_it(
    monkeypatch: pytest.MonkeyPatch, rule: str, deviation: int, status: int
) -> None:
    profiles = load_profiles({"dlms": "", "odd": ODD_PROFILE + rule + "\n"})
    monkeypatch.setattr(registry, "shipped_profiles", lambda: profiles)
    # The hour that comes twice in Chicago.
    clock = CosemDateTime(2026, 11, 1, 7, 1, 30, 0, 0, deviation, status)
    plaintexts = odd_pushes(clock, ["0.1.25.9.0.255"] * WORTH_LEARNING)
    assert check(plaintexts, "odd", FastLayouts()) == WORTH_LEARNING


def test_a_scaler_that_differs_is_another_layout() -> None:
    def push(scaler: int, value: int) -> bytes:
        scale = structure(Data(Tag.INTEGER, scaler), Data(Tag.ENUM, 30))
        name = octet_string(Obis.from_text("1.0.1.8.0.255").octets)
        return apdu.encode(apdu.DataNotification(1, date_time_from_utc(END), structure(name, u32(value), scale)))

    plaintexts = [push(0, n) for n in range(WORTH_LEARNING)] + [push(3, n) for n in range(WORTH_LEARNING)]
    layouts = FastLayouts()
    assert check(plaintexts, "dlms", layouts) == WORTH_LEARNING
    assert check(plaintexts, "dlms", layouts) == 2 * WORTH_LEARNING


def test_what_is_kept_is_bounded_whatever_is_sent() -> None:
    layouts = FastLayouts()
    name = octet_string(Obis.from_text("1.0.1.8.0.255").octets)
    for number in range(MAX_SHAPES + 20):
        scale = structure(Data(Tag.INTEGER, number % 8), Data(Tag.ENUM, 30))
        extra = octet_string(bytes([0x41]) * (number // 8 + 13))
        body = structure(name, u32(1), scale, name, extra)
        plaintext = apdu.encode(apdu.DataNotification(1, date_time_from_utc(END), body))
        decode_batch([plaintext] * WORTH_LEARNING, profile="dlms", zone=None, layouts=layouts)
    assert len(layouts._known) <= MAX_SHAPES
    assert max(map(len, layouts._known.values())) == MAX_TEMPLATES


def captured(document: dict[str, Any]) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, recognized profile and notification of every captured push that can be opened."""
    for telegram in document["telegrams"]:
        keys = {k: bytes.fromhex(v) for k, v in telegram["keys"].items()}
        octets, framing = bytes.fromhex(telegram["hex"]), Framing(telegram["framing"])
        pushed = decode_telegram(octets, keys=Keys(keys.get("encryption"), keys.get("authentication")), framing=framing)
        assert pushed.push is not None
        for plaintext in apdus_of(octets, framing):
            assert isinstance(plaintext, bytes)
            message = apdu.decode(plaintext)
            if isinstance(message, apdu.GeneralGloCiphering):
                title = message.header.system_title
                plaintext = decrypt_unverified(title, message.sealed_body, key=keys["encryption"])  # noqa: PLW2901
            yield telegram["name"], pushed.push.profile, plaintext


def test_captured_pushes_of_other_makers_go_the_fast_way(shared_data: Path) -> None:
    """Every captured push of which a column keeps anything is read in columns, as the generic path reads it."""
    document = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())
    fast = {name for name, profile, octets in captured(document) if check([octets] * 5, profile, FastLayouts()) == 5}
    stored = {name for name, profile, octets in captured(document) if generic(octets, profile)}
    assert len(stored) >= 9
    assert stored - fast == set()


def test_nothing_in_gives_nothing_out() -> None:
    parts, left = decode_batch([], profile="oam-1", zone=None, layouts=FastLayouts())
    assert parts == []
    assert left.shape == (0,)
    parts, left = decode_batch([b""], profile="oam-1", zone=None, layouts=FastLayouts())
    assert left.tolist() == [0]
