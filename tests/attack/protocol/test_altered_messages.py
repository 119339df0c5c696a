"""Each octet of each message of the tables is altered: still a value, or one PeerError. And the long fuzzing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from time import process_time

import pytest
from tests.attack.protocol.invariants import DECODERS, check
from tests.attack.protocol.seeds import MESSAGES

from openami.protocol import apdu
from openami.protocol.envelope.limits import MAX_APDU_OCTETS

INTERESTING = (0x00, 0x01, 0x02, 0x13, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF)
MAX_DECODE_S = 10.0
MAX_DECODE_MB = 64


@pytest.mark.attack("A21")
@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_any_octet_altered_or_left_out_or_put_in_is_a_value_or_a_peer_error(number: int) -> None:
    seed = MESSAGES[number]
    for at in range(len(seed)):
        head, tail = seed[:at], seed[at + 1 :]
        check(DECODERS[0], head + tail)
        for octet in {*INTERESTING, seed[at] ^ 1, (seed[at] + 1) % 256}:
            check(DECODERS[0], head + bytes((octet,)) + tail)
            check(DECODERS[1], head + bytes((octet,)) + tail)
            check(DECODERS[0], head + bytes((octet,)) + seed[at:])


def filled(head: str, piece: str) -> bytes:
    start, unit = bytes.fromhex(head), bytes.fromhex(piece)
    return (start + unit * (MAX_APDU_OCTETS // len(unit)))[:MAX_APDU_OCTETS]


COMPACT_NOTHING = "00 13 02 02 11 01 ffff 00 01 01"


@pytest.mark.attack("A21")
@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(filled("c403c1 82ffff", "0000"), id="a list of nulls"),
        pytest.param(filled("c403c1 821000", COMPACT_NOTHING), id="a list of compact arrays of nothing"),
        pytest.param(filled("c401c100 0182ffff", "00"), id="an array of nulls"),
        pytest.param(filled("c401c100", "0101"), id="arrays in arrays"),
        pytest.param(filled("c401c100", "020102010102"), id="structures in arrays"),
        pytest.param(filled("c401c100 13", "02ff"), id="a type of types"),
        pytest.param(filled("c401c100 1301ffff" + "01ffff" * 14 + "11 82f000", "11"), id="arrays of arrays of arrays"),
        pytest.param(filled("c303c1 821c00", "0008 0000010000ff 02"), id="a list of methods"),
        pytest.param(filled("d900000001 00 821900", "01 0008 0000010000ff 02"), id="an access of all it can hold"),
        pytest.param(filled("6082fffb", "8000"), id="an association of the same element"),
        pytest.param(filled("6082fffb a182fff7", "0600"), id="an association of one element"),
    ],
)
def test_the_largest_message_costs_little_time_and_memory(octets: bytes) -> None:
    tracemalloc.start()
    try:
        began = process_time()
        check(apdu.decode, octets)
        took_s = process_time() - began
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert took_s < MAX_DECODE_S
    assert peak < MAX_DECODE_MB << 20


@pytest.mark.attack("A21")
@pytest.mark.soak
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed: uv sync --group fuzz"
)
def test_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    # `make soak MINUTES=60` sets the minutes.
    minutes = float(os.environ.get("OPENAMI_FUZZ_MINUTES", "10"))
    command = [sys.executable, "-m", "tests.attack.protocol.fuzz_apdu", str(minutes), str(tmp_path)]
    root = Path(__file__).parents[3]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=minutes * 60 + 120, check=False)
    assert found.returncode == 0, found.stderr[-4_000:]
