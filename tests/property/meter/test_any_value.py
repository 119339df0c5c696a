"""Whatever a client sends to whatever attribute or method, it gets a value or one of two refusals."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.meter.made import at, meter, run

from openami.kernel.obis import Obis
from openami.kernel.time import EPOCH
from openami.meter.objects.model import Client
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError, SecurityIncident
from openami.protocol.axdr import BitString, Data, Tag, encode
from openami.protocol.cosem.reference import (
    AttributeRef,
    CaptureObject,
    EntrySelection,
    MethodRef,
    OtherSelection,
    RangeSelection,
    Selection,
)

METER = meter()
run(METER, hours=2)
OBJECTS = [(o.class_id, o.instance) for o in METER.device.objects]

octets = st.binary(max_size=30)
simple = st.one_of(
    st.builds(Data, st.sampled_from([Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING]), octets),
    st.builds(Data, st.just(Tag.OCTET_STRING), st.binary(min_size=12, max_size=12)),
    st.builds(Data, st.just(Tag.DATE_TIME), st.binary(min_size=12, max_size=12)),
    st.builds(Data, st.sampled_from([Tag.UNSIGNED, Tag.ENUM]), st.integers(0, 255)),
    st.builds(Data, st.just(Tag.LONG_UNSIGNED), st.integers(0, 0xFFFF)),
    st.builds(Data, st.just(Tag.DOUBLE_LONG_UNSIGNED), st.integers(0, 0xFFFF_FFFF)),
    st.builds(Data, st.just(Tag.LONG), st.integers(-0x8000, 0x7FFF)),
    st.builds(Data, st.just(Tag.INTEGER), st.integers(-128, 127)),
    st.builds(Data, st.just(Tag.FLOAT64), st.floats()),
    st.builds(Data, st.just(Tag.BOOLEAN), st.booleans()),
    st.just(Data(Tag.NULL)),
    st.just(Data(Tag.BIT_STRING, BitString(3, b"\xff"))),
)
values = st.recursive(
    simple,
    lambda inner: st.builds(Data, st.sampled_from([Tag.ARRAY, Tag.STRUCTURE]), st.lists(inner, max_size=4).map(tuple)),
    max_leaves=8,
)
# Almost right parameters come deeper than arbitrary ones.
near = st.one_of(
    values,
    st.builds(
        lambda a, b: Data(Tag.STRUCTURE, (Data(Tag.OCTET_STRING, a), Data(Tag.DOUBLE_LONG_UNSIGNED, b))),
        st.one_of(octets, st.just(b"OAM240-02.00.00")), st.integers(0, 0xFFFF_FFFF),
    ),
    st.builds(
        lambda a, b: Data(Tag.STRUCTURE, (Data(Tag.DOUBLE_LONG_UNSIGNED, b), Data(Tag.OCTET_STRING, a))),
        octets, st.integers(0, 9),
    ),
    st.builds(
        lambda k, o: Data(Tag.ARRAY, (Data(Tag.STRUCTURE, (Data(Tag.ENUM, k), Data(Tag.OCTET_STRING, o))),)),
        st.integers(0, 5), st.binary(min_size=24, max_size=24),
    ),
    st.lists(st.integers(0, 4_000_000_000).map(lambda s: at(EPOCH.fromtimestamp(s, tz=EPOCH.tzinfo))), max_size=4)
    .map(lambda moments: Data(Tag.STRUCTURE, tuple(moments))),
)  # fmt: skip
places = st.one_of(
    st.sampled_from(OBJECTS),
    st.tuples(st.integers(0, 0xFFFF), st.binary(min_size=6, max_size=6).map(Obis)),
)
captures = st.one_of(
    st.builds(
        CaptureObject, st.integers(0, 99), st.sampled_from([o for _, o in OBJECTS]), st.integers(0, 9),
        st.integers(0, 9),
    ),
    st.sampled_from([
        CaptureObject(8, Obis.from_text("0.0.1.0.0.255"), 2), CaptureObject(3, Obis.from_text("1.0.1.29.0.255"), 2),
    ]),
)  # fmt: skip
selections = st.one_of(
    st.none(),
    st.builds(EntrySelection, *(st.integers(-1, 0x1_0000_0000),) * 4),
    st.builds(RangeSelection, captures, values, values, st.lists(captures, max_size=7).map(tuple)),
    st.builds(OtherSelection, st.integers(0, 255), values),
)
clients = st.one_of(st.sampled_from(Client).map(int), st.integers(-1, 0xFFFF))
indexes = st.integers(-128, 127) | st.integers(0, 12)


@given(clients, places, indexes, selections, near)
@settings(max_examples=400)
def test_any_attribute_gives_a_value_that_can_be_sent_or_a_refusal(
    client: int, place: tuple[int, Obis], index: int, selection: Selection | None, value: Data
) -> None:
    reference = AttributeRef(*place, index)
    with suppress(AccessRefusedError):
        METER.device.write(client, reference, None, value)
    with suppress(AccessRefusedError):
        encode(METER.device.read(client, reference, selection))


@given(st.sampled_from(Client), places, st.integers(-1, 9), near)
@settings(max_examples=400)
def test_any_call_of_any_method_ends_in_a_value_or_a_refusal(
    client: Client, place: tuple[int, Obis], index: int, value: Data
) -> None:
    with suppress(ActionRefusedError):
        returned = METER.device.invoke(client, MethodRef(*place, index), value)
        assert returned is None or encode(returned)


@given(st.lists(st.tuples(places, st.integers(2, 9), near), max_size=12), st.sampled_from(SecurityIncident))
@settings(max_examples=40, deadline=None)
def test_a_meter_goes_on_measuring_whatever_was_written_to_it(
    writes: list[tuple[tuple[int, Obis], int, Data]], incident: SecurityIncident
) -> None:
    one = meter()
    for place, index, value in writes:
        try:
            one.device.write(Client.MANAGEMENT, AttributeRef(*place, index), None, value)
        except AccessRefusedError:
            continue
    one.device.report(1, incident)
    before = one.registers.shown_wh()[0][0]
    run(one, hours=3)
    gained = int(one.registers.shown_wh()[0][0] - before)
    assert gained == 3_000 or not one.state.switch.is_closed
    for item, attribute in one.device.attributes():
        if Client.MANAGEMENT in attribute.readers:
            encode(
                one.device.read(Client.MANAGEMENT, AttributeRef(item.class_id, item.instance, attribute.index), None)
            )
