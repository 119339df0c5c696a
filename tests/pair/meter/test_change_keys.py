"""Keys change under an open association: what was sealed under which key, and that no counter comes twice under one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.pair.meter.reading import Reader
from tests.pair.meter.test_read_a_meter import ENERGY, Dice
from tests.unit.meter.made import IDENTITY, meter, opened, run

from openami.kernel.obis import Obis
from openami.meter.answering import FleetSendCounter, MeterAssociations
from openami.meter.counters import MAX_COUNTER, InvocationCounters, MemoryCounterStore
from openami.meter.sealing import MeterIdentity
from openami.protocol.association.errors import AssociationRefusedError
from openami.protocol.association.ports import ActionRefusedError
from openami.protocol.axdr import Data, Tag, array, octet_string, structure
from openami.protocol.cosem.reference import ActionResult, MethodRef
from openami.security.suites.wrap import wrap_key

KEY_TRANSFER = MethodRef(64, Obis.from_text("0.0.43.0.0.255"), 2)
MASTER = IDENTITY.master_key or b""


def fresh(number: int) -> MeterIdentity:
    return replace(
        IDENTITY, encryption_key=bytes([number, 1] * 8), authentication_key=bytes([number, 2] * 8), master_key=MASTER
    )


def transfer(keys: MeterIdentity) -> Data:
    pairs = ((0, keys.encryption_key), (2, keys.authentication_key))
    return array(
        *(structure(Data(Tag.ENUM, number), octet_string(wrap_key(key, wrapping_key=MASTER))) for number, key in pairs)
    )


class Site:
    """A meter whose every sealed answer and push is written down by the key that opens it."""

    def __init__(self) -> None:
        self.meter = meter()
        self.sealed: list[tuple[bytes, int]] = []
        self._power_up()

    def _power_up(self) -> None:
        self.associations = MeterAssociations(
            self.meter.device,
            identity=lambda: self.meter.identity,
            send=FleetSendCounter(self.meter.counters, 0),
            received=self.meter.state.received,
            dice=Dice(),
        )

    def reader(self, identity: MeterIdentity, first_counter: int) -> Reader:
        return Reader(identity, self.associations.answer, first_counter=first_counter)

    def push(self, keys: list[MeterIdentity]) -> None:
        for frame in run(self.meter, hours=0.25):
            (key,) = [k for k in keys if _opens(frame, k)]
            self.sealed.append((key.encryption_key, _counter(frame)))


def _opens(frame: bytes, keys: MeterIdentity) -> bool:
    try:
        opened(frame, keys)
    except Exception:  # noqa: BLE001 - whatever it is, it does not open
        return False
    return True


def _counter(frame: bytes) -> int:
    # Wrapper 8, tag, title length and title 10, length 2, security control 1.
    return int.from_bytes(frame[8 + 10 + 2 + 1 :][:4]) if frame[18] == 0x81 else int.from_bytes(frame[8 + 10 + 2 :][:4])


def test_the_acknowledgement_goes_by_the_old_key_and_its_counter_and_the_next_message_by_the_new() -> None:
    site, new = Site(), fresh(100)
    site.push([IDENTITY])
    reader = site.reader(IDENTITY, 10)
    reader.associate()
    before = site.meter.counters.used(0)
    # The answer opens under the old keys, or the client would refuse it.
    reader.run(reader.association.call(KEY_TRANSFER, transfer(new)))
    assert site.meter.identity == replace(new, counted_from=before, keys_taken=1)
    site.push([IDENTITY, new])
    assert site.sealed[-1] == (new.encryption_key, 2)
    again = site.reader(new, 1)
    again.associate()
    assert again.run(again.association.read(ENERGY)).integer == 1_500


def test_old_keys_open_nothing_any_more_and_do_no_harm() -> None:
    site, new = Site(), fresh(100)
    reader = site.reader(IDENTITY, 10)
    reader.associate()
    reader.run(reader.association.call(KEY_TRANSFER, transfer(new)))
    with pytest.raises(AssociationRefusedError):
        site.reader(IDENTITY, 100).associate()
    site.reader(new, 1).associate()


@pytest.mark.attack("A3")
def test_no_key_sees_a_counter_twice_through_changes_and_losses_of_power() -> None:
    site, keys, used = Site(), [IDENTITY], 1
    for number in range(6):
        site.push(keys)
        reader = site.reader(keys[-1], used)
        reader.associate()
        keys.append(fresh(100 + number))
        reader.run(reader.association.call(KEY_TRANSFER, transfer(keys[-1])))
        used = 1
        if number % 2:
            # Supply is lost: counters go on at their ceiling, associations are gone.
            site.meter.counters = InvocationCounters(site.meter.counters._store)
            site._power_up()
        site.push(keys)
        site.push(keys)
    assert len(site.sealed) == len(set(site.sealed)) == 18
    assert {key for key, _ in site.sealed} == {k.encryption_key for k in keys}


def test_a_meter_at_the_end_of_its_counters_is_saved_by_new_keys() -> None:
    store = MemoryCounterStore(1)
    one = meter()
    one.counters = InvocationCounters(store)
    one.counters._next[0] = MAX_COUNTER - 3
    site = Site()
    site.meter = one
    site._power_up()
    reader, new = site.reader(IDENTITY, 1), fresh(100)
    # Associating takes three counters, the acknowledgement the last.
    reader.associate()
    reader.run(reader.association.call(KEY_TRANSFER, transfer(new)))
    again = site.reader(new, 1)
    again.associate()
    assert again.run(again.association.read(ENERGY)).integer == 1_000


def test_keys_that_could_not_be_kept_are_not_used() -> None:
    site, new = Site(), fresh(100)
    site.meter.keep_keys = _refusing
    reader = site.reader(IDENTITY, 10)
    reader.associate()
    with pytest.raises(ActionRefusedError) as caught:
        reader.run(reader.association.call(KEY_TRANSFER, transfer(new)))
    assert caught.value.result is ActionResult.TEMPORARY_FAILURE
    assert site.meter.identity == IDENTITY
    assert reader.run(reader.association.read(ENERGY)).integer == 1_000


def _refusing(_identity: MeterIdentity) -> None:
    raise OSError("the disk is full")


@pytest.mark.attack("A11")
def test_a_replayed_transfer_is_refused_before_and_after_the_change() -> None:
    site, new = Site(), fresh(100)
    said: list[bytes] = []
    reader = Reader(IDENTITY, _noting(site.associations.answer, said), first_counter=10)
    reader.associate()
    reader.run(reader.association.call(KEY_TRANSFER, transfer(new)))
    replayed = said[-1]
    # Under the new key it does not open; and had the meter its old key still, the counter would not rise.
    assert site.associations.answer(1, replayed)[0][:1] == b"\xd8"
    assert site.meter.identity.encryption_key == new.encryption_key
    held = Site()
    reader = Reader(IDENTITY, held.associations.answer, first_counter=100)
    reader.associate()
    assert held.associations.answer(1, replayed)[0][:1] == b"\xd8"
    assert held.meter.identity == IDENTITY


def _noting(answer: Callable[[int, bytes], list[bytes]], said: list[bytes]) -> Callable[[int, bytes], list[bytes]]:
    def noted(client: int, octets: bytes) -> list[bytes]:
        said.append(octets)
        return answer(client, octets)

    return noted
