"""Strategies of APDUs, one for every class that has octets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from hypothesis import strategies as st
from tests.property.protocol.values import any_data

from openami.kernel.obis import Obis
from openami.protocol.apdu import acse, codec, services
from openami.protocol.apdu.ciphering import CLEAR_OF, GeneralDedCiphering, GeneralGloCiphering, ServiceCiphering
from openami.protocol.apdu.codec import Apdu
from openami.protocol.apdu.event import EventNotification
from openami.protocol.apdu.exception import INVOCATION_COUNTER_ERROR, ExceptionResponse
from openami.protocol.apdu.notification import DataNotification, DataNotificationConfirm
from openami.protocol.apdu.protection import (
    AgreedKey,
    GeneralCiphering,
    GeneralSigning,
    IdentifiedKey,
    KeyId,
    ProtectionHeader,
    WrappedKey,
)
from openami.protocol.cosem import date_time_from_utc
from openami.protocol.cosem.reference import (
    ActionResult,
    AttributeRef,
    CaptureObject,
    DataAccessResult,
    EntrySelection,
    MethodRef,
    OtherSelection,
    RangeSelection,
)
from openami.protocol.envelope.sealed import build_sealed

Item = TypeVar("Item")
u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFF_FFFF)
i8 = st.integers(-128, 127)
obis = st.binary(min_size=6, max_size=6).map(Obis)
stamps = st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)).map(  # noqa: DTZ001 - zone is set next
    lambda d: date_time_from_utc(d.replace(tzinfo=UTC), deviation_minutes=60)
)
long_octets = st.binary(max_size=20) | st.integers(120, 300).map(lambda n: b"\x5a" * n)
sealed_bodies = st.tuples(st.binary(min_size=5, max_size=5), long_octets).map(b"".join)
titles = st.binary(min_size=8, max_size=8)
maybe_titles = st.just(b"") | titles
maybe_octets = st.none() | long_octets
headers = st.builds(ProtectionHeader, long_octets, maybe_titles, maybe_titles, stamps, long_octets)
key_infos = (
    st.none()
    | st.builds(IdentifiedKey, st.sampled_from(KeyId))
    | st.builds(WrappedKey, u8, long_octets)
    | st.builds(AgreedKey, long_octets, long_octets)
)
conformances = st.integers(0, 0xFF_FFFF).map(acse.Conformance)
mechanisms = st.sampled_from(acse.Mechanism)


def sealed_apdu(title: bytes, body: bytes) -> Apdu:
    message = codec.decode(build_sealed(title, body))
    assert isinstance(message, GeneralGloCiphering)
    return message


def exception(service_error: int) -> st.SearchStrategy[Apdu]:
    counter = u32 if service_error == INVOCATION_COUNTER_ERROR else st.none()
    return st.builds(ExceptionResponse, u8, st.just(service_error), counter)


ASSOCIATION: dict[str, st.SearchStrategy[Apdu]] = {
    "AARQ": st.builds(
        acse.AssociationRequest,
        st.sampled_from(acse.ApplicationContext),
        mechanisms,
        st.none() | titles,
        maybe_octets,
        long_octets,
        maybe_octets,
    ),
    "AARE": st.builds(
        acse.AssociationResponse,
        st.sampled_from(acse.ApplicationContext),
        st.sampled_from(acse.AssociationResult),
        st.integers(0, 20),
        st.booleans(),
        st.none() | titles,
        st.none() | mechanisms,
        maybe_octets,
        maybe_octets,
        maybe_octets,
    ),
    "RLRQ": st.builds(acse.ReleaseRequest, st.none() | st.sampled_from(acse.ReleaseReason), maybe_octets),
    "RLRE": st.builds(acse.ReleaseResponse, st.none() | st.integers(0, 127), maybe_octets),
    "initiate request": st.builds(
        acse.InitiateRequest, conformances, u16, maybe_octets, st.booleans(), st.none() | u8, u8
    ),
    "initiate response": st.builds(acse.InitiateResponse, conformances, u16, u16, st.none() | u8, u8),
    "confirmed service error": st.builds(acse.ConfirmedServiceError, u8, u8, u8),
}
CIPHERED: dict[str, st.SearchStrategy[Apdu]] = {
    "service ciphering": st.builds(ServiceCiphering, st.sampled_from(sorted(CLEAR_OF)), sealed_bodies),
    "general glo": st.builds(sealed_apdu, titles, sealed_bodies),
    "general ded": st.builds(GeneralDedCiphering, maybe_titles, sealed_bodies),
    "general ciphering": st.builds(GeneralCiphering, headers, key_infos, sealed_bodies),
    "general signing": st.builds(GeneralSigning, headers, long_octets, long_octets),
}
UNSOLICITED: dict[str, st.SearchStrategy[Apdu]] = {
    "data notification": st.builds(DataNotification, u32, stamps, any_data),
    "data notification confirm": st.builds(DataNotificationConfirm, u32),
    "event notification": st.builds(EventNotification, stamps, u16, obis, i8, any_data),
    "exception response": u8.flatmap(exception),
}
attributes = st.builds(AttributeRef, u16, obis, i8)
buffers = st.builds(AttributeRef, st.just(7), obis, st.just(2))
methods = st.builds(MethodRef, u16, obis, i8)
columns = st.builds(CaptureObject, u16, obis, i8, u16)
ranges = st.builds(RangeSelection, columns, any_data, any_data, st.lists(columns, max_size=3).map(tuple))
entries = st.builds(EntrySelection, u32, u32, u16, u16)
# Selectors from 3 on mean nothing to a profile buffer, so they come back as they were sent.
others = st.builds(OtherSelection, st.integers(3, 255), any_data)
selected_buffers = st.tuples(buffers, st.none() | ranges | entries | others)
selected = selected_buffers | st.tuples(attributes, st.none() | others)
blocks = st.builds(services.DataBlock, st.booleans(), u32, long_octets)
access_results = st.sampled_from(DataAccessResult)
results = any_data | access_results
outcomes = st.builds(services.ActionOutcome, st.sampled_from(ActionResult), st.none() | results)


def some(items: st.SearchStrategy[Item]) -> st.SearchStrategy[tuple[Item, ...]]:
    return st.lists(items, max_size=3).map(tuple)


def even(kind: Callable[..., Apdu], items: st.SearchStrategy[Any]) -> st.SearchStrategy[Apdu]:
    pairs = st.tuples(u8, st.lists(st.tuples(items, any_data), max_size=3))
    return pairs.map(lambda p: kind(p[0], tuple(i for i, _ in p[1]), tuple(v for _, v in p[1])))


access_items = st.one_of(
    st.tuples(st.sampled_from([services.AccessKind.GET, services.AccessKind.SET]), selected, any_data).map(
        lambda p: services.AccessItem(p[0], *p[1], p[2])
    ),
    st.builds(services.AccessItem, st.just(services.AccessKind.ACTION), methods, st.none(), any_data),
)
access_outcomes = st.one_of(
    st.builds(
        services.AccessOutcome,
        st.sampled_from([services.AccessKind.GET, services.AccessKind.SET]),
        access_results,
        any_data,
    ),
    st.builds(services.AccessOutcome, st.just(services.AccessKind.ACTION), st.sampled_from(ActionResult), any_data),
)
SERVICES: dict[str, st.SearchStrategy[Apdu]] = {
    "get": st.tuples(u8, selected).map(lambda p: services.GetRequest(p[0], *p[1])),
    "get next": st.builds(services.GetRequestNext, u8, u32),
    "get list": st.builds(services.GetRequestList, u8, some(selected)),
    "get response": st.builds(services.GetResponse, u8, results),
    "get response block": st.builds(services.GetResponseBlock, u8, st.booleans(), u32, long_octets | access_results),
    "get response list": st.builds(services.GetResponseList, u8, some(results)),
    "set": st.tuples(u8, selected, any_data).map(lambda p: services.SetRequest(p[0], *p[1], p[2])),
    "set first block": st.tuples(u8, selected, blocks).map(lambda p: services.SetRequestFirstBlock(p[0], *p[1], p[2])),
    "set block": st.builds(services.SetRequestBlock, u8, blocks),
    "set list": even(services.SetRequestList, selected),
    "set list first block": st.builds(services.SetRequestListFirstBlock, u8, some(selected), blocks),
    "set response": st.builds(services.SetResponse, u8, access_results),
    "set response block": st.builds(services.SetResponseBlock, u8, u32),
    "set response last block": st.builds(services.SetResponseLastBlock, u8, access_results, u32),
    "set response last block list": st.builds(services.SetResponseLastBlockList, u8, some(access_results), u32),
    "set response list": st.builds(services.SetResponseList, u8, some(access_results)),
    "action": st.builds(services.ActionRequest, u8, methods, st.none() | any_data),
    "action next": st.builds(services.ActionRequestNext, u8, u32),
    "action list": even(services.ActionRequestList, methods),
    "action first block": st.builds(services.ActionRequestFirstBlock, u8, methods, blocks),
    "action list first block": st.builds(services.ActionRequestListFirstBlock, u8, some(methods), blocks),
    "action block": st.builds(services.ActionRequestBlock, u8, blocks),
    "action response": st.builds(services.ActionResponse, u8, outcomes),
    "action response block": st.builds(services.ActionResponseBlock, u8, blocks),
    "action response list": st.builds(services.ActionResponseList, u8, some(outcomes)),
    "action response next": st.builds(services.ActionResponseNext, u8, u32),
    "access": st.builds(services.AccessRequest, u32, stamps, some(access_items)),
    "access response": st.builds(services.AccessResponse, u32, stamps, some(access_outcomes)),
}
MESSAGES: dict[str, st.SearchStrategy[Apdu]] = {**ASSOCIATION, **CIPHERED, **UNSOLICITED, **SERVICES}
