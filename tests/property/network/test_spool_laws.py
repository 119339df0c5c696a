"""Laws of the spool: what was safe comes out once, in order of class, with one number for ever, after any cut."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openami.contracts.frame import FrameClass
from openami.network.link import CollectorLink, GatewayLink, Hello, LinkMessage, stamp_sequences
from openami.network.spool import Spool, SpoolError, SpoolFullError
from openami.network.spool.order import OrderLog, Run

TITLE = b"OAM\x00\x00\x00\x00\x01"
steps = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.lists(st.integers(0, 3), min_size=1, max_size=6)),
        st.tuples(st.just("plan"), st.integers(1, 400)),
        st.tuples(st.just("ack"), st.integers(0, 100)),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=30,
)


def frame(number: int, frame_class: int = 2) -> tuple[int, bytes, int, bytes]:
    return frame_class, TITLE, number, number.to_bytes(4) * 5


def make_safe(spool: Spool) -> None:
    sync = spool.begin_sync()
    sync.run()
    spool.end_sync(sync)


def messages_of(spool: Spool, after: int) -> list[LinkMessage]:
    """What a gateway would be sent of everything planned and not acknowledged."""
    link = GatewayLink()
    found: list[LinkMessage] = []
    for run in spool.runs_after(after):
        octets = spool.read(run)
        stamp_sequences(octets, first_seq=run.first_seq)
        if link.hello is None:
            link.receive(CollectorLink().hello(Hello(1, spool.next_seq - 1, run.first_seq)))
            link.resume_at(run.first_seq - 1)
        found += link.receive(bytes(octets))
    return [m for m in found if m.seq > after]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_each_frame_has_one_number_for_ever_and_none_is_lost(todo: list[tuple[str, object]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="oa-spool-"))
    try:
        spool = Spool(folder, segment_octets=256)
        offered: dict[int, int] = {}
        numbered: dict[int, int] = {}
        for kind, argument in todo:
            if kind == "offer":
                assert isinstance(argument, list)
                rows = [frame(len(offered) + i, c) for i, c in enumerate(argument)]
                spool.append(rows)
                make_safe(spool)
                offered |= {row[2]: row[0] for row in rows}
            elif kind == "plan":
                assert isinstance(argument, int)
                spool.plan(max_octets=argument)
                spool.sync_order()
            elif kind == "ack":
                assert isinstance(argument, int)
                planned = spool.next_seq - 1 - spool.acked_seq
                spool.acknowledge(spool.acked_seq + planned * argument // 100)
            else:
                spool.close()
                spool = Spool(folder, segment_octets=256)
            for message in messages_of(spool, spool.acked_seq):
                assert numbered.setdefault(message.seq, message.collected_at_ms) == message.collected_at_ms
        while spool.has_unplanned:
            spool.plan(max_octets=10_000)
        for message in messages_of(spool, spool.acked_seq):
            assert numbered.setdefault(message.seq, message.collected_at_ms) == message.collected_at_ms
        assert sorted(numbered.values()) == sorted(offered)
        assert sorted(numbered) == list(range(1, len(offered) + 1))
        spool.close()
    finally:
        shutil.rmtree(folder)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(0, 2_000))
def test_a_torn_end_costs_only_what_was_never_safe(count: int, cut: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="oa-spool-"))
    try:
        spool = Spool(folder)
        for number in range(count):
            spool.append([frame(number)])
        make_safe(spool)
        spool.close()
        (file,) = (folder / "line-2").glob("*.seg")
        whole = file.read_bytes()
        file.write_bytes(whole[: max(0, len(whole) - cut)])
        spool = Spool(folder)
        size = len(whole) // count
        left = max(0, len(whole) - cut) // size
        spool.plan(max_octets=10**6)
        assert [m.collected_at_ms for m in messages_of(spool, 0)] == list(range(left))
        spool.append([frame(99)])
        make_safe(spool)
        spool.plan(max_octets=10**6)
        assert messages_of(spool, 0)[-1].collected_at_ms == 99
        spool.close()
    finally:
        shutil.rmtree(folder)


def test_a_torn_order_log_gives_the_last_frames_their_numbers_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for number in range(6):
        spool.append([frame(number)])
        make_safe(spool)
        spool.plan(max_octets=1)
    spool.close()
    log = tmp_path / "order.log"
    log.write_bytes(log.read_bytes()[:-3])
    spool = Spool(tmp_path)
    assert spool.next_seq == 6
    spool.plan(max_octets=1)
    assert [m.seq for m in messages_of(spool, 0)] == [1, 2, 3, 4, 5, 6]
    spool.close()


def test_damage_in_what_was_planned_is_said_and_not_sent(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([frame(1)])
    make_safe(spool)
    (run,) = spool.plan(max_octets=1)
    (file,) = (tmp_path / "line-2").glob("*.seg")
    octets = bytearray(file.read_bytes())
    octets[40] ^= 1
    file.write_bytes(octets)
    with pytest.raises(SpoolError, match="damaged at octet 0"):
        spool.read(run)
    spool.close()
    with pytest.raises(SpoolError, match="were safe"):
        Spool(tmp_path)


def test_a_full_spool_takes_nothing_and_has_room_again_after_an_ack(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_octets=2_000, segment_octets=500)
    for number in range(20):
        spool.append([frame(number)])
    with pytest.raises(SpoolFullError):
        spool.append([frame(n) for n in range(20, 60)])
    make_safe(spool)
    spool.plan(max_octets=10**6)
    assert len(messages_of(spool, 0)) == 20
    spool.acknowledge(spool.next_seq - 1)
    spool.append([frame(n) for n in range(20, 40)])
    spool.close()


def test_a_lost_order_log_leaves_every_waiting_frame(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_octets=100)
    for number in range(6):
        spool.append([frame(number)])
        make_safe(spool)
    spool.plan(max_octets=150)
    spool.acknowledge(spool.next_seq - 1)
    acked = spool.acked_seq
    spool.close()
    (tmp_path / "order.log").unlink()
    spool = Spool(tmp_path)
    spool.renumber(acked + 1)
    spool.plan(max_octets=10**6)
    assert {m.collected_at_ms for m in messages_of(spool, acked)} >= set(range(acked, 6))
    spool.close()


@pytest.mark.parametrize("frame_class", list(FrameClass))
def test_the_most_urgent_class_is_planned_first(tmp_path: Path, frame_class: FrameClass) -> None:
    spool = Spool(tmp_path)
    for c in (3, 2, 1, 0):
        spool.append([frame(c, c)])
    make_safe(spool)
    runs = spool.plan(max_octets=10**6)
    assert runs[frame_class].frame_class == frame_class
    spool.close()


def test_an_order_log_that_a_full_disk_cuts_short_does_not_replace_the_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = OrderLog(tmp_path / "order.log")
    runs = [Run(1, 2, 0, 1, 5), Run(6, 2, 1, 1, 5)]
    log.rewrite(runs)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, octets: write(descriptor, octets[: len(octets) // 2]))
    with pytest.raises(SpoolError, match="the disk is full"):
        log.rewrite([*runs, Run(11, 2, 2, 1, 5)])
    monkeypatch.undo()
    assert log.read() == runs
    log.append([Run(11, 2, 2, 1, 5)])
    log.close()
    assert len(OrderLog(tmp_path / "order.log").read()) == 3
