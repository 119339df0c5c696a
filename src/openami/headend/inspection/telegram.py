"""One telegram from octets to figures: what ``openami decode`` prints a line of. Pure; keys are arguments.

Everything that is wrong with the octets ends in ``error``; nothing but our own bugs is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from openami.headend.inspection.message_document import apdu_name, message_document
from openami.headend.profiles.interpret import Push, PushObject, PushRow, interpret
from openami.headend.profiles.model import MeterProfile
from openami.headend.profiles.registry import profile_of
from openami.headend.profiles.rows import event_meaning
from openami.kernel.ids import SystemTitle
from openami.kernel.quantity import unit_symbol
from openami.protocol import apdu
from openami.protocol.apdu import DataNotification, EventNotification, ExceptionResponse, OtherApdu
from openami.protocol.axdr import octet_string, structure
from openami.protocol.cosem import CosemDateTime
from openami.protocol.envelope.hdlc import FLAG, has_llc, strip_llc
from openami.protocol.envelope.mbus import START, split_messages
from openami.protocol.envelope.sealed import SealedHeader
from openami.protocol.envelope.stream import HdlcReader, WrapperReader
from openami.protocol.errors import PeerError
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import ENCRYPTED, decrypt_unverified, is_authenticated, open_sealed

MAX_TELEGRAMS = 100_000
"""Most telegrams of one input; a file of a day's pushes of a district is below."""


class Framing(StrEnum):
    """How an APDU is packed."""

    AUTO = "auto"
    HDLC = "hdlc"
    HDLC_INFO = "hdlc-info"
    MBUS = "mbus"
    WRAPPER = "wrapper"
    APDU = "apdu"


@dataclass(frozen=True, slots=True)
class Keys:
    """Key material of one meter; None where it is not known. Its repr shows neither."""

    key: bytes | None = None
    auth_key: bytes | None = None

    def __repr__(self) -> str:
        return "Keys(***)"


@dataclass(frozen=True, slots=True)
class TelegramError:
    """Why a telegram gave no figures; ``offset`` counts octets of the layer that ``code`` belongs to."""

    code: str
    message: str
    offset: int


@dataclass(frozen=True, slots=True)
class Telegram:
    """What one telegram says.

    Args:
        system_title: the sender, where the telegram is sealed.
        invocation_counter: the counter of the seal.
        encrypted: whether the figures were encrypted.
        authenticated: whether a tag was verified.
        push: the figures, where there are any.
        error: why not, else.
        zone: the zone for stamps without deviation.
        message: the message as a document, where it is whole and carries no figures to push.
        profile: the profile that was given; None where it was recognized.
    """

    system_title: SystemTitle | None = None
    invocation_counter: int | None = None
    encrypted: bool = False
    authenticated: bool = False
    push: Push | None = None
    error: TelegramError | None = None
    zone: ZoneInfo | None = None
    message: dict[str, Any] | None = None
    profile: MeterProfile | None = None

    def document(self) -> dict[str, Any]:
        """Return the JSON document of the telegram: the shape that scripts rely on.

        ``message`` is there only where the telegram is a whole message without pushed figures.
        """
        push = self.push
        document: dict[str, Any] = {
            "system_title": str(self.system_title) if self.system_title else None,
            "invocation_counter": self.invocation_counter,
            "encrypted": self.encrypted,
            "authenticated": self.authenticated,
            "timestamp": clock_text(push.clock, self.zone) if push else None,
            "profile": push.profile if push else None,
            "objects": [self._object(o, row, push) for row in push.rows for o in row.objects] if push else [],
            "error": None
            if self.error is None
            else {"code": self.error.code, "message": self.error.message, "offset": self.error.offset},
        }
        return document if self.message is None else {**document, "message": self.message}

    def _object(self, item: PushObject, row: PushRow, push: Push) -> dict[str, Any]:
        profile = self.profile or profile_of(push.profile)
        document: dict[str, Any] = {
            "obis": str(item.obis) if item.obis else None,
            "name": profile.name_of(item.obis) if item.obis else None,
            "value": self._value(item),
            "unit": (unit_symbol(item.scale.unit) or None) if item.scale else None,
            "scaler": item.scale.scaler if item.scale else None,
        }
        if item.raw is not None:
            document["raw"] = item.raw
        meaning = event_meaning(item, row, profile)
        if meaning:
            document["meaning"] = meaning
        if len(push.rows) > 1 or row.clock is not push.clock:
            document["at"] = clock_text(row.clock, self.zone)
        return document

    def _value(self, item: PushObject) -> Any:
        if isinstance(item.value, CosemDateTime):
            return clock_text(item.value, self.zone) or item.value.encode().hex()
        value = float(item.value) if isinstance(item.value, Decimal) else item.value
        # JSON has no word for infinity or not-a-number.
        return str(value) if isinstance(value, float) and not isfinite(value) else value


def clock_text(clock: CosemDateTime | None, zone: ZoneInfo | None) -> str | None:
    """Return ISO 8601 to the second: UTC where the instant is known, else the bare wall clock as sent.

    None where the octets name no moment.
    """
    if clock is None:
        return None
    try:
        known = clock.has_deviation or zone is not None
        moment: datetime = clock.to_utc(zone) if known else clock.local()
    except PeerError:
        return None
    return moment.isoformat(timespec="seconds")


def detect_framing(octets: bytes) -> Framing:
    r"""Guess how the octets are packed from how they begin.

    >>> detect_framing(b"\x7e\xa0").value, detect_framing(b"\x0f\x00").value
    ('hdlc', 'apdu')
    """
    if octets[:1] == bytes((FLAG,)):
        return Framing.HDLC
    if octets[:1] == bytes((START,)) and octets[3:4] in (b"", bytes((START,))):
        return Framing.MBUS
    if has_llc(octets):
        return Framing.HDLC_INFO
    if octets[:2] == b"\x00\x01":
        return Framing.WRAPPER
    return Framing.APDU


def apdus_of(octets: bytes, framing: Framing) -> Iterator[bytes | PeerError]:
    """Yield the APDUs of an input and what was wrong between them; at least one of either."""
    if framing is Framing.AUTO:
        framing = detect_framing(octets)
    if not octets:
        yield PeerError("empty", "no octets", 0)
    elif framing is Framing.HDLC or framing is Framing.WRAPPER:
        reader = HdlcReader() if framing is Framing.HDLC else WrapperReader()
        found = reader.receive(octets) + reader.finish()
        yield from found or [PeerError("empty", "frames without any information", len(octets))]
    elif framing is Framing.MBUS:
        try:
            yield from split_messages(octets)
        except PeerError as error:
            yield error
    else:
        yield strip_llc(octets) if framing is Framing.HDLC_INFO else octets


def decode_telegrams(
    octets: bytes,
    *,
    keys: Keys | None = None,
    framing: Framing = Framing.AUTO,
    zone: ZoneInfo | None = None,
    profile: MeterProfile | None = None,
) -> Iterator[Telegram]:
    """Yield every telegram of the octets.

    Args:
        octets: one or more telegrams of one framing.
        keys: the meter's keys.
        framing: how the telegrams are packed.
        zone: the meter's zone, for stamps without deviation.
        profile: the meter's profile; None to recognize it.
    """
    for number, item in enumerate(apdus_of(octets, framing)):
        if number == MAX_TELEGRAMS:
            yield _refused(PeerError("too_many", f"more than {MAX_TELEGRAMS} telegrams in one input", 0), Telegram())
            return
        if isinstance(item, PeerError):
            yield _refused(item, Telegram())
        else:
            yield _decode_apdu(item, keys or Keys(), zone, profile)


def decode_telegram(
    octets: bytes,
    *,
    keys: Keys | None = None,
    framing: Framing = Framing.AUTO,
    zone: ZoneInfo | None = None,
    profile: MeterProfile | None = None,
) -> Telegram:
    """Return the one telegram that the octets hold; a second one is an error.

    Args:
        octets: one telegram.
        keys: the meter's keys.
        framing: how it is packed.
        zone: the meter's zone, for stamps without deviation.
        profile: the meter's profile; None to recognize it.
    """
    telegrams = list(decode_telegrams(octets, keys=keys, framing=framing, zone=zone, profile=profile))
    failed = next((t for t in telegrams if t.error), None)
    if failed:
        return failed
    if len(telegrams) > 1:
        return _refused(PeerError("trailing", "more than one telegram", 0), telegrams[0])
    return telegrams[0]


def _refused(error: PeerError | SuiteError, so_far: Telegram, offset: int = 0) -> Telegram:
    place = error.offset if isinstance(error, PeerError) else offset
    message = error.message
    return Telegram(
        so_far.system_title,
        so_far.invocation_counter,
        so_far.encrypted,
        so_far.authenticated,
        None,
        TelegramError(error.code, message, place),
        so_far.zone,
    )


def _decode_apdu(octets: bytes, keys: Keys, zone: ZoneInfo | None, profile: MeterProfile | None) -> Telegram:
    so_far = Telegram(zone=zone)
    clear = octets
    try:
        message = apdu.decode(octets)
        if isinstance(message, apdu.GeneralGloCiphering):
            header = message.header
            so_far = _with_header(header, zone)
            clear, authenticated = _open(header, message.sealed_body, keys)
            so_far = _with_header(header, zone, authenticated=authenticated)
            message = apdu.decode(clear) if authenticated else _decode_unverified(clear)
        figures = _notification(message)
        if figures is None:
            return replace(so_far, message=message_document(message, apdu_name(clear)))
        push = interpret(figures, profile=profile, system_title=so_far.system_title)
    except SuiteError as error:
        return _refused(error, so_far, header.body_offset)
    except PeerError as error:
        return _refused(error, so_far)
    return replace(so_far, push=push, profile=profile)


def _decode_unverified(plaintext: bytes) -> apdu.Apdu:
    """Read a plaintext that no tag vouches for: where it is no APDU, the key is the likeliest cause.

    Raises:
        PeerError: code ``bad_plaintext``.
    """
    try:
        return apdu.decode(plaintext)
    except PeerError as error:
        text = f"the decrypted octets are no message (wrong key, or altered octets): {error.message}"
        raise PeerError("bad_plaintext", text, error.offset) from None


def _with_header(header: SealedHeader, zone: ZoneInfo | None, *, authenticated: bool = False) -> Telegram:
    return Telegram(
        SystemTitle(header.system_title),
        header.invocation_counter,
        bool(header.security_control & ENCRYPTED),
        authenticated,
        zone=zone,
    )


def _open(header: SealedHeader, body: bytes, keys: Keys) -> tuple[bytes, bool]:
    """Return the plaintext and whether a tag vouches for it.

    Raises:
        PeerError: no key.
        SuiteError: the body does not open.
    """
    if keys.key is None:
        raise PeerError("no_key", "the telegram is sealed and no key was given", header.body_offset)
    if not is_authenticated(header.security_control) or keys.auth_key is None:
        return decrypt_unverified(header.system_title, body, key=keys.key), False
    return open_sealed(header.system_title, body, key=keys.key, auth_key=keys.auth_key), True


def _notification(message: apdu.Apdu) -> DataNotification | None:
    """Return the figures of a message as a notification; None where it is another message, whole.

    Raises:
        PeerError: an exception, or a message that is only known by its tag.
    """
    if isinstance(message, DataNotification):
        return message
    if isinstance(message, EventNotification):
        named = structure(octet_string(message.instance.octets), message.value)
        return DataNotification(0, message.at, named)
    if isinstance(message, ExceptionResponse):
        text = f"the peer answers with an exception: state {message.state_error}, service {message.service_error}"
        raise PeerError("exception_response", text, 0)
    if isinstance(message, OtherApdu):
        raise PeerError("not_a_push", f"{apdu_name(message.octets)} carries no pushed figures", 0)
    return None
