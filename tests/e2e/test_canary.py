"""No name, address or account number leaves core's customer store, on any link, any bus or any disk outside."""

from __future__ import annotations

import os

import pytest
from tests.canary.__main__ import show
from tests.canary.run import PORTAL, ROUNDS_S, Report, measure
from tests.zones.namespaces import NoNamespacesError

pytestmark = [pytest.mark.soak, pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(1_200)]
CUSTOMERS = int(os.environ.get("OPENAMI_CANARY_CUSTOMERS", "500"))
ON_THE_WAY = {
    ("carrier - field", "in the clear"),
    ("field - dmz", "TLS opened"),
    ("field - dmz", "APDU opened"),
    ("dmz - core", "TLS opened"),
    ("bus of dmz", "every message"),
    ("bus of dmz", "APDU opened"),
    ("bus of core", "every message"),
}


@pytest.fixture(scope="module")
def report() -> Report:
    """A full run, captured, opened and searched."""
    try:
        found = measure(customers=CUSTOMERS, rounds_s=float(os.environ.get("OPENAMI_CANARY_SECONDS", ROUNDS_S)))
    except NoNamespacesError as error:
        pytest.skip(str(error))
    show(found)
    return found


@pytest.mark.attack("A34")
def test_no_canary_is_found_on_any_link_bus_or_disk_in_the_clear_or_opened(report: Report) -> None:
    assert {(line.place, line.form): sorted(line.found)[:5] for line in report.leaks} == {}


def test_every_octet_was_captured_and_every_way_was_opened(report: Report) -> None:
    assert (report.dropped, report.missing) == (0, 0)
    assert {place for place in ON_THE_WAY if not report.lines.get(place) or not report.lines[place].octets} == set()
    opened, shut = report.apdus
    assert opened > 100
    assert shut < opened / 100


def test_the_search_finds_what_is_there(report: Report) -> None:
    # The person's own name and address on the person's own page, and a word that a meter sent sealed.
    assert len(report.lines[PORTAL, "TLS opened"].found) >= 2
    assert report.planted == {"bus of dmz, opened"}


def test_the_run_was_a_full_one(report: Report) -> None:
    assert report.canaries == CUSTOMERS
    assert report.reads["answered"] >= 6
    assert report.refused == {}
    # Three meters got new keys, which crossed nothing in the clear, and were then switched with them.
    assert report.orders["keys changed"] == 3
    assert report.orders["disconnect: done"] >= 2
    assert report.orders["reconnect: done"] >= 2
