"""The folders of a home: what is dropped is taken and answered, what is not whole is put aside, nights are compared."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from tests.unit.exchange.test_cim_asking import NOVEMBER, asking

from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.exchange.exchange_inbox import work_off
from openami.app.exchange.exchange_job import ExchangeJob
from openami.app.exchange.exchange_night import history
from openami.app.settings import Home, Settings

pytestmark = pytest.mark.engines
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
MASTER = """openami exchange 1,CIS,M-1,2026-11-30T04:00:00Z
record,id,premise,service_point,zone,bill_group,meter,interval_s,channels,max_power_w,account,rate,at,in_delivered_wh
premise,1,PR-1,,,,,,,,,,,
service_point,2,PR-1,SP-1,America/Chicago,7,,,,,,,2026-01-01T06:00:00Z,
meter,3,,,,,{serial},900,delivered,48000,,,,
install,4,,SP-1,,,{serial},,,,,,2026-02-01T18:00:00Z,100
start,5,,SP-1,,,,,,,A-1,R-1,2026-02-01T06:00:00Z,
{more}end,{count}
"""
SNAPSHOT = (
    "openami snapshot 1,CIS,{number},2026-11-30T06:00:00Z\nservice_point,meter,rate,bill_group\n{rows}end,{count}\n"
)


class Site:
    def __init__(self, settings: Settings) -> None:
        self.settings, self.serial = settings, f"SN-{uuid4().hex[:8]}"
        self.inbox, self.outbox = (settings.home.path / "exchange" / n for n in ("in", "out"))
        self.inbox.mkdir(parents=True)

    def drop(self, name: str, text: str) -> None:
        (self.inbox / name).write_text(text)

    def master(self, more: str = "", count: int = 5) -> str:
        return MASTER.format(serial=self.serial, more=more, count=count)

    def snapshot(self, *rows: str, number: str = "S-1") -> str:
        return SNAPSHOT.format(number=number, rows="".join(f"{r}\n" for r in rows), count=len(rows))

    async def work(self) -> dict[str, tuple[str, bool, str]]:
        found = await work_off(self.settings, self.inbox, self.outbox)
        return {f.name: (f.kind, f.is_clean, f.told) for f in found}

    def out(self, name: str) -> list[dict[str, str]]:
        lines = (self.outbox / name).read_text().splitlines()
        return list(csv.DictReader(lines[1:-1]))


@pytest.fixture
def site(postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(short_tmp), real_origin=datetime.now(UTC), domain_origin=NOW).save()
    return Site(Settings.load(short_tmp))


async def test_master_data_is_answered_and_put_away_and_a_broken_file_is_put_aside_with_the_reason(site: Site) -> None:
    site.drop("a.csv", site.master())
    site.drop("b.csv", site.master(count=9))
    site.drop("c.csv.part", "still being written")
    found = await site.work()
    assert found["a.csv"] == ("master data", True, "5 accepted")
    assert found["b.csv"][:2] == ("refused", False)
    assert {r["result"] for r in site.out("a.csv.acknowledgement.csv")} == {"accepted"}
    assert "counts" in (site.outbox / "b.csv.refused.txt").read_text()
    assert sorted(f.name for f in site.inbox.iterdir()) == ["c.csv.part", "done", "refused"]
    assert [f.name for f in (site.inbox / "done").iterdir()] == ["a.csv"]


async def test_a_night_compares_both_ways_and_the_history_keeps_the_counts(site: Site) -> None:
    site.drop("1.csv", site.master("rate,6,,SP-9,,,,,,,,R-1,2026-02-01T06:00:00Z,\n", count=6))
    site.drop("2.csv", site.snapshot(f"SP-1,{site.serial},R-2,7", "SP-2,SN-X,R-1,7"))
    found = await site.work()
    assert found["1.csv"][1:] == (False, "5 accepted, 1 rejected")
    assert found["2.csv"] == ("snapshot", False, "1 only_theirs, 1 rate")
    assert site.out("2.csv.differences.csv") == [
        {"service_point": "SP-1", "what": "rate", "ours": "R-1", "theirs": "R-2"},
        {"service_point": "SP-2", "what": "only_theirs", "ours": "", "theirs": ""},
    ]
    (row,) = await history(site.settings, "CIS", limit=5)
    assert (row["ours"], row["theirs"], row["equal"]) == (1, 2, 0)
    assert (row["counts"], row["records_waiting"]) == ({"only_theirs": 1, "rate": 1}, 1)


async def test_the_worker_takes_what_came_and_writes_our_snapshot_once_a_night(site: Site) -> None:
    site.drop("1.csv", site.master())
    job = ExchangeJob(site.settings)
    await job.run_due(NOW)
    (ours,) = site.outbox.glob("snapshot-CIS-*.csv")
    assert ours.name == "snapshot-CIS-20261201.csv"
    (row,) = site.out(ours.name)
    assert (row["service_point"], row["premise"], row["meter"], row["account"]) == ("SP-1", "PR-1", site.serial, "A-1")
    assert (row["multiplier"], row["rate"], row["bill_group"], row["state"]) == ("1", "R-1", "7", "active")
    ours.unlink()
    await job.run_due(NOW)
    assert not list(site.outbox.glob("snapshot-*"))


async def test_our_own_snapshot_agrees_with_us(site: Site) -> None:
    site.drop("1.csv", site.master())
    await site.work()
    await ExchangeJob(site.settings).run_due(NOW)
    (ours,) = site.outbox.glob("snapshot-CIS-*.csv")
    site.drop("2.csv", ours.read_text().replace("1,openami,", "1,CIS,", 1))
    assert (await site.work())["2.csv"] == ("snapshot", True, "1 equal")


async def test_a_cim_request_for_a_place_that_is_not_known_is_answered_in_its_own_form(site: Site) -> None:
    site.drop("q.xml", asking(NOVEMBER, points=("SP-404",)).decode())
    assert (await site.work())["q.xml"][:2] == ("request", False)
    (answer,) = site.outbox.glob("answer-*.xml")
    text = answer.read_text()
    assert "<Result>FAILED</Result>" in text
    assert "service point SP-404 is not known" in text


async def test_one_hostile_file_does_not_stop_the_files_behind_it(site: Site) -> None:
    site.drop("1.csv", "openami exchange 1,CIS,M-9,2026-11-30T04:00:00Z\nrecord,id,premise\nst\0art,\0,X,Y\nend,1\n")
    site.drop("2" * 251 + ".csv", "not a message")
    (site.inbox / "3\udce9.csv").write_text("not a message")
    site.drop("4.csv", site.master())
    (site.inbox / "done" / "4.csv").mkdir(parents=True)
    site.drop("5.csv", site.snapshot())
    found = await site.work()
    assert found["5.csv"][0] == "snapshot", found
    # What could not be put away is taken again, and changes nothing; all else is out of the way.
    assert [f.name for f in site.inbox.iterdir() if f.is_file()] == ["4.csv"]


async def test_what_is_told_of_rejected_requests_stays_a_line_each_and_no_formula(site: Site) -> None:
    cells = '"=HYPERLINK(""http://x"",1)\nX",SP-1,2026-11-01,2026-12-01'
    head = "openami billing request 1,CIS,Q-1,2026-12-01T00:00:00Z\nrecord,id,service_point,first,end\n"
    site.drop("r.csv", f"{head}bill,{cells}\nend,1\n")
    await site.work()
    told = list(csv.reader(io.StringIO((site.outbox / "r.csv.rejected.csv").read_text(), newline="")))
    assert [len(row) for row in told] == [3]
    assert not told[0][0].startswith("=")
