"""Strategies of APDUs, one for every class that has octets."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st
from tests.property.protocol.values import any_data

from openami.kernel.obis import Obis
from openami.protocol.apdu import acse, codec
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
from openami.protocol.envelope.sealed import build_sealed

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


def with_mechanism(mechanism: acse.Mechanism) -> st.SearchStrategy[Apdu]:
    authentication = st.none() if mechanism is acse.Mechanism.NONE else maybe_octets
    return st.builds(
        acse.AssociationRequest,
        st.sampled_from(acse.ApplicationContext),
        st.just(mechanism),
        st.none() | titles,
        authentication,
        long_octets,
        maybe_octets,
    )


def exception(service_error: int) -> st.SearchStrategy[Apdu]:
    counter = u32 if service_error == INVOCATION_COUNTER_ERROR else st.none()
    return st.builds(ExceptionResponse, u8, st.just(service_error), counter)


ASSOCIATION: dict[str, st.SearchStrategy[Apdu]] = {
    "AARQ": mechanisms.flatmap(with_mechanism),
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
MESSAGES: dict[str, st.SearchStrategy[Apdu]] = {**ASSOCIATION, **CIPHERED, **UNSOLICITED}
