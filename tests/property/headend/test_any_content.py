"""Whatever a meter with genuine keys seals, the head-end says rows, an answer or a refusal, and goes on."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.contracts.deadletter import RefusalReason
from openami.contracts.frame import encode_frame_batch
from openami.contracts.stream import PARTITIONS
from openami.headend.listening.intake import Intake, Outcome, StreamMessage
from openami.headend.listening.window import CounterWindows
from openami.headend.profiles import profile_names
from openami.kernel.time import epoch_s
from openami.protocol import apdu
from openami.protocol.envelope import wrap
from openami.protocol.push import EventRow, RegisterRow, event_body, load_profile_body, register_body
from openami.security.keys.table import KeyTable
from openami.security.suites import gcm

FACTORY = PushFactory(meters=2)
NOW_MS = epoch_s(FIRST_END) * 1000
ROWS = FACTORY.rows(0, count=2)
BODIES = [
    load_profile_body(ROWS),
    register_body([RegisterRow(r.end, 5, 6) for r in ROWS]),
    event_body([EventRow(r.end, 0, 1) for r in ROWS]),
]
GENUINE = [apdu.encode(apdu.DataNotification(1, None, body)) for body in BODIES]
profiles = st.sampled_from([*profile_names(), "nobody-knows"])
zones = st.sampled_from(["", "America/Chicago", "Asia/Kathmandu"])


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Genuine plaintexts with a few octets changed, cut or lengthened, and any octets at all."""
    octets = bytearray(draw(st.sampled_from(GENUINE)))
    kind = draw(st.sampled_from(["altered", "cut", "longer", "any", "notification"]))
    if kind == "altered":
        for _ in range(draw(st.integers(1, 3))):
            octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    elif kind == "cut":
        del octets[draw(st.integers(0, len(octets) - 1)) :]
    elif kind == "longer":
        octets += draw(st.binary(min_size=1, max_size=9))
    elif kind == "any":
        return draw(st.binary(max_size=120))
    else:
        return b"\x0f\x00\x00\x00\x01\x00" + draw(st.binary(max_size=60))
    return bytes(octets)


def answered(plaintext: bytes, profile: str, zone: str) -> Outcome:
    """Return what comes of one odd push between two good ones of another meter."""
    columns, table = FACTORY.key_columns(), KeyTable()
    table.merge(replace(columns, profile=(profile, "oam-1"), zone=(zone, "")))
    intake = Intake(table, CounterWindows(), zone="UTC")
    odd = FACTORY.meters[0]
    sealed = gcm.seal(odd.title, 1, plaintext, key=odd.key, auth_key=odd.auth_key)
    frames = [
        FACTORY.frame(1, FACTORY.profile_push(1, 1)),
        FACTORY.frame(0, wrap(1, 103, apdu.general_glo(odd.title, sealed))),
        FACTORY.frame(1, FACTORY.profile_push(1, 2)),
    ]
    message = StreamMessage(1, encode_frame_batch(gateway_id=1, received_at_ms=NOW_MS, frames=frames))
    opened = intake.open([message], partitions=frozenset(range(PARTITIONS)), now_ms=NOW_MS)
    return intake.judge(opened, now_ms=NOW_MS)


@settings(max_examples=400, deadline=None)
@given(plaintext=contents(), profile=profiles, zone=zones)
def test_any_sealed_content_gives_rows_an_answer_or_a_refusal(plaintext: bytes, profile: str, zone: str) -> None:
    outcome = answered(plaintext, profile, zone)
    good = str(FACTORY.meters[1].meter_id)
    assert sum(1 for m in outcome.readings.meter_id if bytes(m).hex() == good.replace("-", "")) == 24
    got = len(outcome.readings) - 24 + len(outcome.registers) + len(outcome.events)
    if outcome.letters:
        (letter,) = outcome.letters
        assert letter.letter_id == "1-1"
        assert letter.reason in {RefusalReason.BAD_CONTENT, RefusalReason.UNKNOWN_LAYOUT}
        assert got == 0
    else:
        # Or it looks like an answer, which is for whoever asked.
        assert (got > 0) != bool(outcome.answers)
