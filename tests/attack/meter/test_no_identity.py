"""A meter has no place for a name: a hundred canaries go to every attribute from every client, and none stays."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from tests.unit.meter.made import MANAGEMENT, call, meter, run

from openami.kernel.obis import Obis
from openami.meter.meter import VirtualMeter
from openami.meter.objects.model import Client
from openami.meter.objects.shapes import Flag, Moment, Number
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.axdr import Data, Tag, array, encode, octet_string, structure, u32
from openami.protocol.cosem.reference import ActionResult, AttributeRef, MethodRef

CANARIES = [f"Canary{k:03d} Doe".encode() for k in range(100)]
# Twelve octets, the length of a date-time, among them.
CANARIES += [c[:12] for c in CANARIES[:20]]


def forms(canary: bytes) -> Iterator[Data]:
    """Yield a canary as every type that can hold octets, and inside what holds others."""
    for tag in (Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING):
        yield Data(tag, canary)
    if len(canary) == 12:
        yield Data(Tag.DATE_TIME, canary)
    yield structure(octet_string(canary), u32(1))
    yield array(octet_string(canary))


def everything(one: VirtualMeter) -> bytes:
    """Return all that the meter shows to anyone, and all that it remembers."""
    shown = b""
    for client in Client:
        for item, attribute in one.device.attributes():
            try:
                shown += encode(
                    one.device.read(client, AttributeRef(item.class_id, item.instance, attribute.index), None)
                )
            except AccessRefusedError:
                continue
    state = one.state
    parts = (state.logs, state.failures, state.quality, state.alarms, state.switch, state.limiter, state.setups)
    return shown + pickle.dumps(parts) + bytes(state.image.image) + state.image.identifier + state.image.active


def test_no_canary_that_is_written_is_stored() -> None:
    one = meter()
    run(one, hours=1)
    targets = {(o.class_id, o.instance, a.index) for o, a in one.device.attributes()}
    targets |= {(class_id, instance, 1) for class_id, instance, _ in targets}
    stored = 0
    for canary in CANARIES:
        for value in forms(canary):
            for class_id, instance, index in targets:
                for client in Client:
                    try:
                        one.device.write(client, AttributeRef(class_id, instance, index), None, value)
                        stored += 1
                    except AccessRefusedError:
                        continue
    assert stored == 0
    kept = everything(one)
    assert not any(canary in kept for canary in CANARIES)


def test_no_canary_that_is_passed_to_a_method_is_stored() -> None:
    one = meter()
    for canary in CANARIES:
        for value in forms(canary):
            for item in one.device.objects:
                for index in item.methods:
                    for client in Client:
                        try:
                            one.device.invoke(client, MethodRef(item.class_id, item.instance, index), value)
                        except ActionRefusedError:
                            continue
    kept = everything(one)
    assert not any(canary in kept for canary in CANARIES)


def test_an_image_of_canaries_is_thrown_away_when_it_does_not_verify() -> None:
    one = meter()
    content = b"".join(CANARIES)[:512]
    assert (
        call(one, 18, "0.0.44.0.0.255", 1, structure(octet_string(b"OAM240-09.00.00"), u32(512)))
        is ActionResult.SUCCESS
    )
    assert call(one, 18, "0.0.44.0.0.255", 2, structure(u32(0), octet_string(content))) is ActionResult.SUCCESS
    assert call(one, 18, "0.0.44.0.0.255", 3) is ActionResult.OTHER_REASON
    assert CANARIES[0] not in everything(one)


@pytest.mark.parametrize("name", ["0.0.42.0.0.255", "0.0.96.1.0.255", "0.0.25.0.0.255", "0.0.41.0.0.255"])
def test_names_and_addresses_are_written_by_nobody(name: str) -> None:
    one = meter()
    (item,) = (o for o in one.device.objects if o.instance == Obis.from_text(name))
    assert all(a.writing is None for a in item.attributes.values())


def test_every_writable_attribute_takes_a_number_a_flag_or_a_moment() -> None:
    shapes = [a.writing.shape for _, a in meter().device.attributes() if a.writing is not None]
    assert len(shapes) == 35
    assert all(isinstance(shape, Number | Flag | Moment) for shape in shapes)
    assert all(shape.tag not in {Tag.OCTET_STRING, Tag.VISIBLE_STRING} for shape in shapes if isinstance(shape, Number))


@pytest.mark.attack("A34")
def test_no_key_is_shown_to_anybody_or_by_any_name() -> None:
    one = meter()
    run(one, hours=1)
    identity = one.identity
    secrets = (identity.encryption_key, identity.authentication_key, identity.master_key or b"")
    kept = everything(one)
    words = repr(one) + repr(one.device) + repr(one.state) + repr(identity)
    for secret in secrets:
        assert secret not in kept
        assert secret.hex() not in words
        assert repr(secret)[2:-1] not in words
    assert MANAGEMENT in Client
