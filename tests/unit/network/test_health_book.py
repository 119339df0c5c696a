"""The gateway says a collector's health when a person would act on it, at once and not too often."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openami.contracts.errors import ContractError
from openami.contracts.health import (
    MAX_REPORT_OCTETS,
    CollectorWord,
    HealthReport,
    LinkPresence,
    decode_report,
    encode_report,
)
from openami.network.gateway.health import CALM_S, MAX_WORDS, MOVED_E7, REFRESH_S, HealthBook
from openami.network.link import LinkError, LinkMessage, MessageType

T0 = 1_780_000_000_000
WELL = HealthReport(60, False, False, 387_000_000, -904_000_000, 4_101, 400, 12, T0)


def beat(report: HealthReport | None, body: bytes | None = None) -> LinkMessage:
    octets = body if body is not None else encode_report(report) if report else b""
    return LinkMessage(MessageType.HEARTBEAT, 0, 0, bytes(8), 0, octets)


def settled() -> HealthBook:
    """A book whose collector 7 is well and told."""
    book = HealthBook(1, since_ms=T0 - 5_000)
    book.opened(7, now_ms=T0)
    book.heard(7, beat(WELL), now_ms=T0)
    book.told(book.due(now_ms=T0))
    return book


def said_after(book: HealthBook, seconds: float) -> list[CollectorWord]:
    return book.due(now_ms=T0 + int(seconds * 1000))


def test_a_report_is_read_as_it_was_written_and_a_later_versions_longer_one_too() -> None:
    octets = encode_report(WELL)
    assert decode_report(octets) == WELL
    assert decode_report(b"\x02" + octets[1:] + b"more of a later version") == WELL


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x01", id="too short"),
        pytest.param(encode_report(WELL) + bytes(MAX_REPORT_OCTETS), id="too long"),
        pytest.param(b"\x00" + encode_report(WELL)[1:], id="version 0"),
        pytest.param(encode_report(WELL)[:6] + b"\x7f\xff\xff\xff" + encode_report(WELL)[10:], id="north of the pole"),
        pytest.param(encode_report(WELL)[:-8] + b"\xff" * 8, id="a clock after the year 9999"),
    ],
)
def test_what_is_no_report_ends_the_connection(octets: bytes) -> None:
    with pytest.raises(ContractError):
        decode_report(octets)
    with pytest.raises(LinkError, match="health report"):
        HealthBook(1).heard(7, beat(None, octets), now_ms=T0)


def test_a_word_is_read_as_it_was_written() -> None:
    word = CollectorWord(7, 1, LinkPresence.GONE, T0, T0 - 90_000, T0, T0 - 1, "silent", 5, -250, WELL)
    assert CollectorWord.decode(word.encode()) == word
    bare = replace(word, report=None)
    assert CollectorWord.decode(bare.encode()) == bare


@pytest.mark.parametrize(
    "octets",
    [b"", b"[]", b"{}", b"null", b'{"presence":"open"}', b"\xff", b"[" * 100_000],
)
def test_what_is_no_word_is_refused_by_the_one_family(octets: bytes) -> None:
    with pytest.raises(ContractError):
        CollectorWord.decode(octets)


def test_a_well_collector_is_told_once_and_again_after_a_quarter_of_an_hour() -> None:
    book = settled()
    book.heard(7, beat(replace(WELL, uptime_s=90)), now_ms=T0 + 30_000)
    assert said_after(book, 30) == []
    (word,) = said_after(book, REFRESH_S)
    assert (word.presence, word.report) == (LinkPresence.OPEN, replace(WELL, uptime_s=90))
    assert (word.heard_at_ms, word.gateway_since_ms) == (T0 + 30_000, T0 - 5_000)


@pytest.mark.parametrize(
    "news",
    [
        pytest.param(replace(WELL, is_enclosure_open=True), id="its door is open"),
        pytest.param(replace(WELL, cell=9), id="another cell carries it"),
        pytest.param(replace(WELL, latitude_e7=WELL.latitude_e7 + MOVED_E7 + 1), id="it was moved"),
        pytest.param(replace(WELL, is_on_backup_supply=True), id="its mains are away"),
        pytest.param(replace(WELL, certificate_days_left=399), id="a day has passed"),
        pytest.param(replace(WELL, uptime_s=1), id="it started anew"),
        pytest.param(replace(WELL, spool_frames=20_000), id="its spool grows"),
    ],
)
def test_what_a_person_would_act_on_is_told_with_the_next_look(news: HealthReport) -> None:
    book = settled()
    book.heard(7, beat(news), now_ms=T0 + 11_000)
    (word,) = said_after(book, 11)
    assert word.report == news
    book.told([word])
    assert said_after(book, 11 + CALM_S) == []


def test_a_door_that_was_open_between_two_looks_is_told_although_it_is_closed_again() -> None:
    book = settled()
    book.heard(7, beat(replace(WELL, is_enclosure_open=True)), now_ms=T0 + 3_000)
    book.heard(7, beat(WELL), now_ms=T0 + 4_000)
    (word,) = said_after(book, CALM_S)
    assert word.opened_at_ms == T0 + 3_000
    assert word.report == WELL


@pytest.mark.attack("A33")
def test_a_door_that_flaps_makes_no_more_than_one_word_in_ten_seconds() -> None:
    book, words = settled(), 0
    for second in range(1, 301):
        book.heard(7, beat(replace(WELL, is_enclosure_open=second % 2 == 0)), now_ms=T0 + second * 1000)
        due = said_after(book, second)
        book.told(due)
        words += len(due)
    assert words == 30


def test_a_collector_that_has_gone_is_told_with_when_it_was_heard_last_and_why() -> None:
    book = settled()
    book.gone(7, heard_at_ms=T0 + 1_000, cause="silent", now_ms=T0 + 91_000)
    (word,) = said_after(book, 92)
    assert (word.presence, word.since_ms, word.heard_at_ms, word.cause) == (
        LinkPresence.GONE, T0 + 91_000, T0 + 1_000, "silent",
    )  # fmt: skip


@pytest.mark.attack("A33")
def test_an_open_door_goes_before_a_thousand_collectors_that_went() -> None:
    book = HealthBook(1)
    for number in range(1, 1_001):
        book.opened(number, now_ms=T0)
        book.heard(number, beat(WELL), now_ms=T0)
    while due := book.due(now_ms=T0):
        assert len(due) <= MAX_WORDS
        book.told(due)
    for number in range(1, 1_001):
        book.gone(number, heard_at_ms=T0, cause="closed", now_ms=T0 + 60_000)
    book.heard(777, beat(replace(WELL, is_enclosure_open=True)), now_ms=T0 + 60_000)
    assert said_after(book, 60)[0].collector_id == 777


def test_what_the_bus_did_not_keep_is_told_again() -> None:
    book = settled()
    book.heard(7, beat(replace(WELL, is_enclosure_open=True)), now_ms=T0 + 11_000)
    assert said_after(book, 11)
    assert said_after(book, 12)


def test_an_old_collector_without_a_report_is_known_by_its_connection() -> None:
    book = HealthBook(1)
    book.opened(7, now_ms=T0)
    book.heard(7, beat(None), now_ms=T0 + 30_000)
    (word,) = said_after(book, 31)
    assert (word.report, word.heard_at_ms) == (None, T0 + 30_000)


@pytest.mark.attack("A33")
def test_what_was_refused_is_told_at_ten_a_hundred_and_a_thousand_and_not_in_between() -> None:
    book, told = settled(), []
    for second in range(1, 4_000):
        book.refused(7, refused=1, set_aside=2, now_ms=T0 + second * 1000)
        words = said_after(book, second)
        book.told(words)
        told += [w.refused for w in words]
    for tens in (10, 100, 1_000):
        assert tens <= min(n for n in told if n >= tens) <= tens + CALM_S
    assert len(told) <= 3 + 4_000 // REFRESH_S
    word = book.word_of(7)
    assert word is not None
    assert (word.refused, word.set_aside, word.refused_at_ms) == (3_999, 7_998, T0 + 3_999_000)
    assert CollectorWord.decode(word.encode()) == word


def test_a_word_of_an_earlier_gateway_refused_nothing() -> None:
    book = settled()
    word = book.word_of(7)
    assert word is not None
    octets = word.encode().replace(b',"refused":0,"set_aside":0,"refused_at_ms":0', b"")
    assert octets != word.encode()
    assert CollectorWord.decode(octets) == word
    with pytest.raises(ContractError):
        CollectorWord.decode(word.encode().replace(b'"refused":0', b'"refused":-1'))
