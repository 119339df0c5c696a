"""A meter that says otherwise of its own columns than its profile file is believed, and nobody else is touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from tests.unit.headend.test_intake import reasons, run

from openami.app.bench.pushes import PushFactory
from openami.contracts.channel import Channel
from openami.contracts.reading import uuid_column, uuids_of
from openami.headend.listening.intake import Intake, Outcome
from openami.headend.listening.window import CounterWindows
from openami.headend.profiles.columns import ColumnSheet, SaidColumn
from openami.headend.profiles.model import Scale
from openami.headend.profiles.said import SaidScales
from openami.kernel.obis import Obis
from openami.protocol.cosem.reference import CaptureObject
from openami.protocol.push import RegisterRow, register_body
from openami.security.keys.table import KeyTable

A_PLUS, INTERVAL, POWER = (Obis.from_text(t) for t in ("1.0.1.8.0.255", "1.0.1.29.0.255", "1.0.1.7.0.255"))
PROFILE = Obis.from_text("1.0.99.1.0.255")
AT = datetime(2026, 1, 5, tzinfo=UTC)
WATT_HOUR, TEN_WATT_HOURS, VOLT = Scale(0, 30), Scale(1, 30), Scale(0, 35)


def sheet(meter: UUID, **said: Scale | None) -> ColumnSheet:
    names = {"a_plus": A_PLUS, "interval": INTERVAL, "power": POWER}
    columns = tuple(SaidColumn(CaptureObject(3, names[name], 2), scale) for name, scale in said.items())
    return ColumnSheet(meter, PROFILE, columns, AT, uuid4())


def changes(said: SaidScales, meters: list[UUID], profile: str = "oam-1") -> dict[int, dict[Obis, Scale]]:
    found = said.changes(uuid_column(meters), [((profile, ""), np.arange(len(meters)))])
    return {place: dict(scales) for place, scales in found.items()}


@pytest.mark.parametrize("meter", [UUID(int=7), UUID(int=1 << 64), UUID(int=0), UUID(int=2**128 - 1)])
def test_a_meter_is_found_by_its_id_whatever_octets_it_has(meter: UUID) -> None:
    said = SaidScales()
    assert changes(said, [meter]) == {}
    said.merge([sheet(UUID(int=5), interval=WATT_HOUR), sheet(meter, interval=TEN_WATT_HOURS)])
    said.merge([])
    assert changes(said, [UUID(int=6), meter, UUID(int=5)]) == {1: {INTERVAL: TEN_WATT_HOURS}}


def test_only_what_changes_a_stored_value_is_asked() -> None:
    said, meter = SaidScales(), uuid4()
    said.merge([sheet(meter, interval=WATT_HOUR, power=Scale(3, 27), a_plus=None)])
    assert changes(said, [meter]) == {}
    # The same words change what another profile, which says nothing, would store.
    assert changes(said, [meter], profile="dlms") == {0: {INTERVAL: WATT_HOUR}}
    assert changes(said, [meter], profile="nobody-knows") == {}


def test_a_later_word_of_a_meter_wins_and_meters_of_one_mind_share_it() -> None:
    said, meters = SaidScales(), [uuid4() for _ in range(50)]
    said.merge([sheet(m, interval=TEN_WATT_HOURS) for m in meters])
    assert (len(said), len(said._said)) == (50, 1)
    said.merge([sheet(meters[3], interval=WATT_HOUR), sheet(meters[4], a_plus=TEN_WATT_HOURS)])
    found = changes(said, meters)
    assert 3 not in found
    assert found[4] == {INTERVAL: TEN_WATT_HOURS, A_PLUS: TEN_WATT_HOURS}
    assert found[5] == {INTERVAL: TEN_WATT_HOURS}


def intake_of(factory: PushFactory, said: SaidScales | None) -> Intake:
    table = KeyTable()
    table.merge(factory.key_columns())
    return Intake(table, CounterWindows(), zone="America/Chicago", said=said)


def test_pushes_of_a_meter_are_read_by_its_own_word_and_those_of_others_as_before() -> None:
    factory, said = PushFactory(meters=6), SaidScales()
    odd = factory.meters[2].meter_id
    said.merge([sheet(odd, interval=TEN_WATT_HOURS, a_plus=TEN_WATT_HOURS)])
    at = AT + timedelta(hours=6)
    registers = [factory.octets(n, 9, register_body([RegisterRow(at, 1_234, 89)])) for n in range(6)]
    frames = [*factory.profile_frames(12), *(factory.frame(n, octets) for n, octets in enumerate(registers))]
    by_file, by_word = (run(intake_of(factory, s), frames) for s in (None, said))
    assert reasons(by_word) == reasons(by_file) == []

    def values(outcome: Outcome, channel: Channel) -> dict[tuple[UUID, int, int], int]:
        batch = outcome.readings
        rows = zip(uuids_of(batch.meter_id), batch.channel, batch.start, batch.message_id, batch.value, strict=True)
        return {(m, int(s), int(i)): int(v) for m, c, s, i, v in rows if c == channel}

    before, after = values(by_file, Channel.DELIVERED), values(by_word, Channel.DELIVERED)
    assert before.keys() == after.keys()
    assert all(after[k] == v * (10 if k[0] == odd else 1) for k, v in before.items())
    assert values(by_file, Channel.VOLTAGE) == values(by_word, Channel.VOLTAGE)
    read = by_word.registers
    found = {(m, int(c)): int(v) for m, c, v in zip(uuids_of(read.meter_id), read.channel, read.value, strict=True)}
    assert {found[m.meter_id, Channel.DELIVERED] for m in factory.meters if m.meter_id != odd} == {1_234}
    assert found[odd, Channel.DELIVERED] == 12_340
    assert found[odd, Channel.RECEIVED] == 89


def test_a_word_in_another_unit_stores_nothing_of_that_object() -> None:
    factory, said = PushFactory(meters=2), SaidScales()
    said.merge([sheet(factory.meters[0].meter_id, interval=VOLT)])
    batch = run(intake_of(factory, said), factory.profile_frames(2)).readings
    rows = list(zip(uuids_of(batch.meter_id), batch.channel, strict=True))
    assert (factory.meters[0].meter_id, Channel.DELIVERED) not in rows
    assert (factory.meters[0].meter_id, Channel.VOLTAGE) in rows
    assert (factory.meters[1].meter_id, Channel.DELIVERED) in rows
