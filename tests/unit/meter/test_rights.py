"""Which objects a meter has, who may do what with them, and that its list says just that."""

from __future__ import annotations

import pytest
from tests.unit.meter.made import MANAGEMENT, PUBLIC, READER, meter, read, run, write

from openami.kernel.obis import Obis
from openami.meter.objects.model import Client
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.axdr import Data, null
from openami.protocol.cosem.reference import ActionResult, AttributeRef, DataAccessResult, MethodRef

# By hand from research on residential meters (IDIS names), not from the code.
EXPECTED = """
1 0.0.42.0.0    1 0.0.96.1.0     1 1.0.0.2.0      17 0.0.41.0.0    1 0.0.43.1.0     64 0.0.43.0.0
15 0.0.40.0.0   15 0.0.40.0.1    15 0.0.40.0.2    15 0.0.40.0.3    8 0.0.1.0.0      41 0.0.25.0.0
3 1.0.1.8.0     3 1.0.2.8.0      3 1.0.1.7.0      3 1.0.2.7.0      3 1.0.12.7.0     3 1.0.11.7.0
3 1.0.1.29.0    3 1.0.2.29.0     3 1.0.12.24.0    1 0.0.96.10.1    7 1.0.99.1.0     7 1.0.99.2.0
7 0.0.98.1.0    7 1.0.99.97.0    7 0.0.99.98.0    7 0.0.99.98.1    7 0.0.99.98.2    7 0.0.99.98.4
7 0.0.99.98.5   1 0.0.96.11.0    1 0.0.96.11.1    1 0.0.96.11.2    1 0.0.96.11.4    1 0.0.96.11.5
1 0.0.96.7.0    1 0.0.96.7.5     1 0.0.96.7.10    4 0.0.96.7.15    3 0.0.96.7.20    1 0.0.96.7.21
3 1.0.12.31.0   3 1.0.12.35.0    3 1.0.12.43.0    3 1.0.12.44.0    1 1.0.32.32.0    1 1.0.32.36.0
70 0.0.96.3.10  71 0.0.17.0.0    18 0.0.44.0.0    40 0.1.25.9.0    40 0.2.25.9.0    40 0.3.25.9.0
40 0.4.25.9.0   40 0.7.25.9.0    9 0.0.10.0.106   9 0.0.10.0.108   9 0.0.10.0.1     22 0.1.15.0.4
22 0.2.15.0.4   22 0.0.15.0.0    21 0.0.16.1.2    1 0.0.97.97.0
1 0.0.97.98.0   1 0.0.97.98.1    1 0.0.97.98.2    1 0.0.97.98.10   1 0.0.97.98.11   1 0.0.97.98.12
1 0.0.97.98.20  1 0.0.97.98.21   1 0.0.97.98.22   3 1.128.12.7.0
""".split()  # noqa: SIM905 - a table is read and checked more easily
OBJECTS = {(int(c), f"{name}.255") for c, name in zip(EXPECTED[::2], EXPECTED[1::2], strict=True)}
PUBLIC_OBJECTS = {
    (1, "0.0.42.0.0.255"), (1, "0.0.43.1.0.255"), (17, "0.0.41.0.0.255"), (15, "0.0.40.0.0.255"),
    (15, "0.0.40.0.1.255"),
}  # fmt: skip
WRITABLE = {
    (8, "0.0.1.0.0.255", 2), (70, "0.0.96.3.10.255", 4), (18, "0.0.44.0.0.255", 5),
    (71, "0.0.17.0.0.255", 4), (71, "0.0.17.0.0.255", 6), (71, "0.0.17.0.0.255", 7),
    (3, "0.0.96.7.20.255", 2), (3, "1.0.12.31.0.255", 2), (3, "1.0.12.35.0.255", 2), (3, "1.0.12.43.0.255", 2),
    (1, "0.0.97.97.0.255", 2),
    *((1, f"0.0.97.98.{n}.255", 2) for n in (0, 1, 2, 10, 11, 12, 20, 21, 22)),
    *((40, f"0.{b}.25.9.0.255", a) for b in (1, 2, 3, 4, 7) for a in (5, 6, 7)),
}  # fmt: skip
CALLABLE = {
    (8, "0.0.1.0.0.255", 1), (8, "0.0.1.0.0.255", 2), (8, "0.0.1.0.0.255", 3), (8, "0.0.1.0.0.255", 4),
    (8, "0.0.1.0.0.255", 5), (8, "0.0.1.0.0.255", 6), (64, "0.0.43.0.0.255", 1), (64, "0.0.43.0.0.255", 2),
    (70, "0.0.96.3.10.255", 1), (70, "0.0.96.3.10.255", 2), (15, "0.0.40.0.0.255", 1), (15, "0.0.40.0.3.255", 1),
    *((18, "0.0.44.0.0.255", m) for m in (1, 2, 3, 4)), *((40, f"0.{b}.25.9.0.255", 1) for b in (1, 2, 3, 4, 7)),
}  # fmt: skip
REFUSALS = {DataAccessResult.READ_WRITE_DENIED, DataAccessResult.OBJECT_UNDEFINED}
ALL_INDEXES = range(-2, 20)


def listed(client: int) -> dict[tuple[int, str], tuple[dict[int, int], dict[int, int]]]:
    """Return the object list of a client: modes of attributes and of methods."""
    found = {}
    for element in read(meter(), 15, "0.0.40.0.0.255", client=client).elements:
        class_id, _version, name, rights = element.elements
        assert class_id.integer is not None
        assert name.octets is not None
        attributes, methods = rights.elements
        modes = [
            {_number(i.elements[0]): _number(i.elements[1]) for i in side.elements} for side in (attributes, methods)
        ]
        found[class_id.integer, str(Obis(name.octets))] = (modes[0], modes[1])
    return found


def _number(value: Data) -> int:
    assert value.integer is not None
    return value.integer


def test_the_management_client_sees_every_object_of_a_residential_meter() -> None:
    assert set(listed(MANAGEMENT)) == OBJECTS


def test_the_public_client_sees_the_name_the_counter_and_its_own_association_alone() -> None:
    assert set(listed(PUBLIC)) == PUBLIC_OBJECTS
    assert all(mode in {0, 1} for attributes, _ in listed(PUBLIC).values() for mode in attributes.values())


def test_what_may_be_written_is_this_list_and_only_management_may() -> None:
    found = {(*o, a) for o, (attributes, _) in listed(MANAGEMENT).items() for a, mode in attributes.items() if mode & 2}
    assert found == WRITABLE
    for client in (READER, PUBLIC):
        assert not any(mode & 2 for attributes, _ in listed(client).values() for mode in attributes.values())


def test_what_may_be_called_is_this_list_and_the_reader_calls_nothing_but_its_handshake() -> None:
    found = {(*o, m) for o, (_, methods) in listed(MANAGEMENT).items() for m, mode in methods.items() if mode}
    assert found == CALLABLE
    reader = {(*o, m) for o, (_, methods) in listed(READER).items() for m, mode in methods.items() if mode}
    assert reader == {(15, "0.0.40.0.0.255", 1), (15, "0.0.40.0.2.255", 1)}
    assert not any(mode for _, methods in listed(PUBLIC).values() for mode in methods.values())


@pytest.mark.parametrize("client", Client)
def test_the_object_list_and_the_answers_agree_for_every_index_of_every_object(client: Client) -> None:
    one = meter()
    run(one, hours=1)
    device, shown = one.device, listed(client)
    for class_id, name in OBJECTS:
        attributes, methods = shown.get((class_id, name), ({}, {}))
        for index in ALL_INDEXES:
            mode = attributes.get(index, 0)
            reference = AttributeRef(class_id, Obis.from_text(name), index)
            try:
                device.read(client, reference, None)
                answered = DataAccessResult.SUCCESS
            except AccessRefusedError as refused:
                answered = refused.result
            assert answered in ({DataAccessResult.SUCCESS} if mode & 1 else REFUSALS)
            written = write(one, class_id, name, index, null(), client=client)
            assert (written is DataAccessResult.TYPE_UNMATCHED) == bool(mode & 2)
            if not methods.get(index, 0):
                with pytest.raises(ActionRefusedError) as refusal:
                    device.invoke(client, MethodRef(class_id, Obis.from_text(name), index), null())
                assert refusal.value.result in {ActionResult.READ_WRITE_DENIED, ActionResult.OBJECT_UNDEFINED}


@pytest.mark.parametrize("client", [0, 2, 17, 48, 64, 102, 127, -1])
def test_a_client_that_is_not_known_has_no_profile_and_no_object(client: int) -> None:
    one = meter()
    assert one.device.client_profile(client) is None
    for class_id, name in OBJECTS:
        with pytest.raises(AccessRefusedError) as refused:
            read(one, class_id, name, 1, client=client)
        assert refused.value.result is DataAccessResult.OBJECT_UNDEFINED


def test_another_class_of_a_known_name_is_inconsistent() -> None:
    with pytest.raises(AccessRefusedError) as refused:
        read(meter(), 1, "1.0.1.8.0.255")
    assert refused.value.result is DataAccessResult.OBJECT_CLASS_INCONSISTENT


@pytest.mark.attack("A5")
def test_readers_and_management_must_authenticate_and_encrypt_and_the_public_client_may_only_get() -> None:
    device = meter().device
    for client in (READER, MANAGEMENT):
        profile = device.client_profile(client)
        assert profile is not None
        assert (profile.mechanism, profile.control) == (5, 0x30)
    public = device.client_profile(PUBLIC)
    assert public is not None
    assert (public.mechanism, public.control, int(public.conformance)) == (0, 0, 0x001010)


def test_names_carry_the_system_title_and_nothing_else() -> None:
    one = meter()
    assert read(one, 1, "0.0.42.0.0.255", client=PUBLIC).octets == b"OAM0000000007240"
    assert read(one, 1, "0.0.96.1.0.255").octets == b"4F414D0000000007"
