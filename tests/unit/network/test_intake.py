"""What a meter sends by itself, however framed, goes on as whole sealed APDUs; what is not sealed stays behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openami.contracts.deadletter import RefusalReason
from openami.contracts.frame import FrameClass
from openami.network.gateway.check import refusal_of
from openami.network.intake import MAX_BLOCK_TRANSFERS, NIL_TITLE, OfferedFrame, PushIntake, datagram_frames
from openami.protocol.envelope.blocks import Block, build_block
from openami.protocol.envelope.mbus import build_frames
from openami.protocol.envelope.sealed import build_sealed, parse_sealed_header
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.protocol.errors import PeerError

SEALED = build_sealed(b"OAM\0\0\0\0\1", b"\x30\0\0\0\1" + bytes(40))
AT_MS = 1_767_600_000_000
SEALED_TELEGRAMS = {
    "dlms_parser/hdlc_landis_gyr_e450": None,
    "smartmeter-datacollector/lg_e450.ENCRYPTED_DATA_NO_PUSHLIST": None,
    "smartmeter-datacollector/lg_e570.ENCRYPTED_VALID_DATA": RefusalReason.DOWNGRADE,
    "dlms_parser/mbus_netz_noe_p1": RefusalReason.DOWNGRADE,
    "dlms-cosem/gas_udp_00": None,
    "dlms-cosem/gas_udp_02": None,
}
"""Captured telegrams, and what the gateway says of them: encryption without authentication is refused."""


def taken(octets: bytes, *, step: int) -> list[OfferedFrame | PeerError]:
    intake = PushIntake()
    found: list[OfferedFrame | PeerError] = []
    for at in range(0, len(octets), step):
        found += intake.receive(octets[at : at + step], collected_at_ms=AT_MS)
    return found + intake.finish(collected_at_ms=AT_MS)


def frames(found: list[OfferedFrame | PeerError]) -> list[OfferedFrame]:
    assert not [f for f in found if isinstance(f, PeerError)]
    return [f for f in found if not isinstance(f, PeerError)]


@pytest.fixture(scope="session")
def telegrams(shared_data: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())
    return {t["name"]: t for t in document["telegrams"]}


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize(("name", "refusal"), SEALED_TELEGRAMS.items())
def test_a_captured_sealed_telegram_goes_on_whole(
    telegrams: dict[str, dict[str, Any]], name: str, refusal: RefusalReason | None, step: int
) -> None:
    telegram = telegrams[name]
    ((frame_class, title, at_ms, octets),) = frames(taken(bytes.fromhex(telegram["hex"]), step=step))
    assert (frame_class, at_ms) == (FrameClass.PROFILE, AT_MS)
    assert str(title) == telegram["security"]["system_title"]
    header = parse_sealed_header(parse_wrapper(octets)[1])
    assert header.invocation_counter == telegram["security"]["invocation_counter"]
    assert refusal_of(octets, title.octets) is refusal
    assert frames(datagram_frames(bytes.fromhex(telegram["hex"]), collected_at_ms=AT_MS))[0][3] == octets


@pytest.mark.parametrize("name", ["dlms_parser/hdlc_norway_han_1phase", "dlms_parser/hdlc_iskra550"])
def test_a_push_in_the_clear_is_refused_by_the_gateway_and_its_figures_stay_behind(
    telegrams: dict[str, dict[str, Any]], name: str
) -> None:
    mark, error = taken(bytes.fromhex(telegrams[name]["hex"]), step=50)
    assert isinstance(error, PeerError)
    assert not isinstance(mark, PeerError)
    _, title, _, octets = mark
    assert title == NIL_TITLE
    assert parse_wrapper(octets)[1] == b"\x0f"
    assert refusal_of(octets, title.octets) is RefusalReason.DOWNGRADE


@pytest.mark.parametrize(
    ("port", "frame_class"), [(1, FrameClass.PROFILE), (3, FrameClass.ALARM), (4, FrameClass.LAST_GASP)]
)
def test_the_class_follows_the_port_of_each_frame(port: int, frame_class: FrameClass) -> None:
    stream = wrap(2, 103, SEALED) + wrap(port, 103, SEALED)
    assert [f[0] for f in frames(taken(stream, step=len(stream)))] == [FrameClass.PROFILE, frame_class]


def blocks(port: int) -> list[bytes]:
    """Return a sealed APDU in wrapper frames of one block each."""
    pieces = [SEALED[at : at + 20] for at in range(0, len(SEALED), 20)]
    built = [
        build_block(Block(number, 0, piece, is_last=number == len(pieces))) for number, piece in enumerate(pieces, 1)
    ]
    return [wrap(port, 103, block) for block in built]


def test_blocks_of_two_push_setups_may_come_mixed() -> None:
    mixed = [frame for pair in zip(blocks(1), blocks(3), strict=True) for frame in pair]
    found = frames(taken(b"".join(mixed), step=11))
    assert [f[0] for f in found] == [FrameClass.PROFILE, FrameClass.ALARM]
    assert [parse_wrapper(f[3])[1] for f in found] == [SEALED, SEALED]


def test_more_ports_than_a_meter_has_hold_no_more_memory() -> None:
    intake = PushIntake()
    for port in range(1, 2_000):
        intake.receive(blocks(port)[0], collected_at_ms=AT_MS)
    assert len(intake._by_port) == MAX_BLOCK_TRANSFERS


@pytest.mark.parametrize("octets", [b"\xdb\x08OAM", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\0\x01"])
def test_a_connection_in_no_framing_of_ours_is_lost_at_once(octets: bytes) -> None:
    intake = PushIntake()
    (error,) = intake.receive(octets, collected_at_ms=AT_MS)
    assert isinstance(error, PeerError)
    assert error.code == "unknown_framing"
    assert intake.is_lost
    assert intake.receive(wrap(1, 103, SEALED), collected_at_ms=AT_MS) == []
    assert intake.finish(collected_at_ms=AT_MS) == []


def test_a_bad_wrapper_header_ends_the_connection_after_the_frames_before_it() -> None:
    intake = PushIntake()
    found = intake.receive(wrap(1, 103, SEALED) + b"\x00\x02" + bytes(6), collected_at_ms=AT_MS)
    assert len(frames(found)) == 1
    (error,) = intake.receive(b"\x00", collected_at_ms=AT_MS)
    assert isinstance(error, PeerError)
    assert error.code == "bad_version"
    assert intake.is_lost


def test_a_lost_mbus_segment_costs_its_own_message() -> None:
    message = SEALED + bytes(600)
    whole = build_frames(SEALED, source=1, destination=103)
    long = build_frames(message, source=1, destination=103)
    torn = long[:261] + long[522:]
    found = taken(torn + whole, step=13)
    (error,) = [f for f in found if isinstance(f, PeerError)]
    assert error.code == "segment_lost"
    ((_, _, _, octets),) = [f for f in found if not isinstance(f, PeerError)]
    assert parse_wrapper(octets)[1] == SEALED


def test_noise_before_an_mbus_frame_is_told_once_and_skipped() -> None:
    whole = build_frames(SEALED, source=1, destination=103)
    found = taken(whole + b"\xe5\xe5\x68\x00" + whole, step=1)
    assert [f.code for f in found if isinstance(f, PeerError)] == ["bad_format"]
    assert len([f for f in found if not isinstance(f, PeerError)]) == 2


def test_a_cut_connection_is_told() -> None:
    for stream in (wrap(1, 103, SEALED), build_frames(SEALED, source=1, destination=103)):
        (error,) = taken(stream[:-1], step=5)
        assert isinstance(error, PeerError)
        assert error.code == "cut"


def test_open_blocks_of_all_ports_together_hold_no_more_than_one_message() -> None:
    large = build_sealed(b"OAM\0\0\0\0\1", b"\x30\0\0\0\1" + bytes(40_000))
    pieces = [large[at : at + 2_000] for at in range(0, len(large), 2_000)]
    built = [
        build_block(Block(number, 0, piece, is_last=number == len(pieces))) for number, piece in enumerate(pieces, 1)
    ]
    intake = PushIntake()
    found: list[OfferedFrame | PeerError] = []
    for port in (1, 3):
        for block in built[:-1]:
            found += intake.receive(wrap(port, 103, block), collected_at_ms=AT_MS)
    assert found == []
    last = {port: intake.receive(wrap(port, 103, built[-1]), collected_at_ms=AT_MS) for port in (3, 1)}
    assert [parse_wrapper(f[3])[1] for f in last[3] if not isinstance(f, PeerError)] == [large]
    # The port that was used least recently was forgotten, so its last block completes nothing.
    assert [f for f in last[1] if not isinstance(f, PeerError)] == []
