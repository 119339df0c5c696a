"""A client associates with a virtual meter and reads, writes and switches it over real messages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.pair.meter.reading import Reader
from tests.unit.meter.made import NOON, at, between, meter, plain, rows, run

from openami.kernel.obis import Obis
from openami.meter.answering import FleetSendCounter, MeterAssociations
from openami.meter.meter import VirtualMeter
from openami.protocol.association.client import ClientAssociation, ClientSettings, fetch_invocation_counter
from openami.protocol.association.drive import drive
from openami.protocol.association.errors import AssociationRefusedError
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.axdr import Data, Tag, array, octet_string, structure
from openami.protocol.cosem.reference import AttributeRef, MethodRef
from openami.protocol.errors import PeerError
from openami.security.suites.wrap import wrap_key

COUNTER = Obis.from_text("0.0.43.1.0.255")
PROFILE = AttributeRef(7, Obis.from_text("1.0.99.1.0.255"), 2)
CLOCK = AttributeRef(8, Obis.from_text("0.0.1.0.0.255"), 2)
SWITCH = Obis.from_text("0.0.96.3.10.255")
ENERGY = AttributeRef(3, Obis.from_text("1.0.1.8.0.255"), 2)


class Dice:
    """Octets that never come twice."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, count: int) -> bytes:
        self._next += 1
        return self._next.to_bytes(count)


def associations(one: VirtualMeter) -> MeterAssociations:
    return MeterAssociations(
        one.device,
        identity=lambda: one.identity,
        send=FleetSendCounter(one.counters, 0),
        received=one.state.received,
        dice=Dice(),
    )


@pytest.mark.parametrize("client", [1, 32], ids=["management", "reader"])
def test_a_day_of_the_profile_is_read_in_blocks_over_an_authenticated_association(client: int) -> None:
    one = meter()
    run(one, hours=30)
    reader = Reader(one.identity, associations(one).answer, client=client)
    reader.associate()
    day = reader.run(reader.association.read(PROFILE, between(NOON + timedelta(minutes=15), NOON + timedelta(days=1))))
    assert [r[2] for r in rows(day)] == [250] * 96
    assert reader.run(reader.association.read(ENERGY)).integer == 31_000
    reader.run(reader.association.release())


def test_the_public_client_reads_the_counter_that_the_next_association_begins_above() -> None:
    one = meter()
    served = associations(one)
    reader = Reader(one.identity, served.answer, first_counter=500)
    reader.associate()
    counter = drive(
        fetch_invocation_counter(COUNTER), protection=None, exchange=lambda octets: served.answer(16, octets)[0]
    )
    assert counter >= 500
    again = Reader(one.identity, served.answer, first_counter=counter + 1)
    again.associate()
    with pytest.raises((AssociationRefusedError, PeerError)):
        Reader(one.identity, served.answer, first_counter=counter - 1).associate()
    assert [code for _, code in one.log] == [48]


@pytest.mark.attack("A9")
def test_the_public_client_reads_nothing_that_was_measured() -> None:
    one = meter()
    served = associations(one)
    public = ClientAssociation(ClientSettings())

    def exchange(octets: bytes) -> bytes:
        return served.answer(16, octets)[0]

    drive(public.associate(), protection=None, exchange=exchange)
    for attribute in (ENERGY, PROFILE, CLOCK):
        with pytest.raises(AccessRefusedError):
            drive(public.read(attribute), protection=None, exchange=exchange)


@pytest.mark.attack("A10")
def test_a_client_with_another_key_is_refused_and_the_fraud_log_says_so() -> None:
    one, other = meter(), meter()
    other.identity = type(one.identity)(one.identity.title, bytes(range(1, 17)), bytes(range(2, 18)))
    served = associations(one)
    with pytest.raises((AssociationRefusedError, PeerError)):
        Reader(other.identity, served.answer).associate()
    assert [code for _, code in one.log] == [47]


def test_management_sets_the_clock_and_works_the_switch_and_a_reader_may_not() -> None:
    one = meter(drift_ppm=100)
    run(one, hours=20)
    served = associations(one)
    boss, reader = Reader(one.identity, served.answer), Reader(one.identity, served.answer, client=32, first_counter=99)
    boss.associate()
    boss.run(boss.association.write(CLOCK, at(one.now)))
    assert plain(boss.run(boss.association.read(CLOCK))) == int(one.now.timestamp())
    boss.run(boss.association.call(MethodRef(70, SWITCH, 1), Data(Tag.INTEGER, 0)))
    assert not one.state.switch.is_closed
    reader.associate()
    with pytest.raises(ActionRefusedError):
        reader.run(reader.association.call(MethodRef(70, SWITCH, 2), Data(Tag.INTEGER, 0)))
    with pytest.raises(AccessRefusedError):
        reader.run(reader.association.write(CLOCK, at(one.now)))


def test_new_keys_are_acknowledged_under_the_old_ones_and_seal_from_then_on() -> None:
    one = meter()
    served = associations(one)
    before = Reader(one.identity, served.answer, first_counter=7)
    before.associate()
    new, master = bytes(range(100, 116)), one.identity.master_key or b""
    wrapped = structure(Data(Tag.ENUM, 0), octet_string(wrap_key(new, wrapping_key=master)))
    before.run(before.association.call(MethodRef(64, Obis.from_text("0.0.43.0.0.255"), 2), array(wrapped)))
    with pytest.raises((AssociationRefusedError, PeerError)):
        Reader(meter().identity, served.answer, first_counter=1_000).associate()
    assert one.identity.encryption_key == new
    # A new key has a counter of its own: it may begin anew.
    after = Reader(one.identity, served.answer, first_counter=1)
    after.associate()
    assert after.run(after.association.read(ENERGY)).integer == 1_000


def test_an_unknown_client_address_keeps_nothing_in_the_meter() -> None:
    one = meter()
    served = associations(one)
    for client in range(100, 400):
        (said,) = served.answer(client, bytes.fromhex("601da109060760857405080101be10040e01000000065f1f0400001010ffff"))
        assert said[0] == 0x61
    assert served._associations == {}
