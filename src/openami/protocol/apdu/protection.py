"""general-ciphering and general-signing as values: protection from end to end, whoever passes the message on.

``DD | header | key-info, optional | length | SC | IC 4 | ciphertext | tag`` and
``DF | header | length | content | length | signature``, where the header is five octet strings: transaction id,
originator's title, recipient's title, date-time, other information. Knows no key.
Source: IEC 62056-5-3, 5.7.2.5 (general-ciphering, general-signing), 8.2 (``General-Ciphering``, ``Key-Info``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from openami.protocol.apdu.ciphering import read_sealed, read_title, sealed_octets, title_octets
from openami.protocol.apdu.stamp import read_stamp, stamp_octets
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.axdr import Reader
from openami.protocol.cosem import CosemDateTime
from openami.protocol.envelope.length import encode_length
from openami.protocol.errors import PeerError, UsageError

IDENTIFIED_KEY = 0
WRAPPED_KEY = 1
AGREED_KEY = 2
MASTER_KEY = 0
"""The one key-encrypting key that the standard names."""


class KeyId(IntEnum):
    """Which of the keys that both ends hold."""

    GLOBAL_UNICAST = 0
    GLOBAL_BROADCAST = 1


@dataclass(frozen=True, slots=True)
class IdentifiedKey:
    """The key is one that both ends hold."""

    key_id: KeyId


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """The key comes along, wrapped with the key-encrypting key ``kek_id`` (0 the master key)."""

    kek_id: int
    key_ciphered: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AgreedKey:
    """The key is agreed on.

    Args:
        parameters: the agreement scheme: 01 one-pass Diffie-Hellman, 02 static unified model.
        key_ciphered: the ephemeral public key and its signature (one-pass), else no octets.
    """

    parameters: bytes
    key_ciphered: bytes = field(repr=False)


KeyInfo: TypeAlias = IdentifiedKey | WrappedKey | AgreedKey


@dataclass(frozen=True, slots=True)
class ProtectionHeader:
    """Who sends what to whom.

    Args:
        transaction_id: names the exchange; the answer repeats it.
        originator_title: eight octets, or none.
        recipient_title: eight octets, or none where everybody is meant.
        at: when it was sent; None where not said.
        other_information: as the ends agree; mostly none.
    """

    transaction_id: bytes
    originator_title: bytes
    recipient_title: bytes
    at: CosemDateTime | None = None
    other_information: bytes = b""

    def encode(self) -> bytes:
        """Return the five octet strings, each with its length, as they stand in the message.

        Raises:
            UsageError: a title that has neither eight octets nor none.
        """
        return b"".join(
            (
                _string(self.transaction_id),
                title_octets(self.originator_title),
                title_octets(self.recipient_title),
                stamp_octets(self.at),
                _string(self.other_information),
            )
        )


@dataclass(frozen=True, slots=True)
class GeneralCiphering:
    """A sealed APDU with its key; the body begins with the security control."""

    header: ProtectionHeader
    key_info: KeyInfo | None
    sealed_body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class GeneralSigning:
    """A signed APDU; the content is an APDU, clear or ciphered."""

    header: ProtectionHeader
    content: bytes = field(repr=False)
    signature: bytes


def encode_general_ciphering(message: GeneralCiphering) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: a title of another length, a key id over 8 bits, or a body without control and counter.
    """
    head = bytes((ApduTag.GENERAL_CIPHERING,)) + message.header.encode()
    return head + _key_info_octets(message.key_info) + sealed_octets(message.sealed_body)


def decode_general_ciphering(octets: bytes) -> GeneralCiphering:
    """Read a general-ciphering APDU that fills the octets.

    Raises:
        PeerError: cut, octets left over, a title or date-time of another length, or an unknown key.
    """
    reader = Reader(octets, 1)
    header = _read_header(reader)
    key_info = _read_key_info(reader) if reader.flag("key information") else None
    message = GeneralCiphering(header, key_info, read_sealed(reader))
    reader.finish("a general-ciphering")
    return message


def encode_general_signing(message: GeneralSigning) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: a title of another length.
    """
    head = bytes((ApduTag.GENERAL_SIGNING,)) + message.header.encode()
    return head + _string(message.content) + _string(message.signature)


def decode_general_signing(octets: bytes) -> GeneralSigning:
    """Read a general-signing APDU that fills the octets.

    Raises:
        PeerError: cut, octets left over, or a title or date-time of another length.
    """
    reader = Reader(octets, 1)
    header = _read_header(reader)
    message = GeneralSigning(header, reader.string("the signed content"), reader.string("a signature"))
    reader.finish("a general-signing")
    return message


def _string(octets: bytes) -> bytes:
    return encode_length(len(octets)) + octets


def _read_header(reader: Reader) -> ProtectionHeader:
    return ProtectionHeader(
        reader.string("a transaction id"),
        read_title(reader),
        read_title(reader),
        read_stamp(reader),
        reader.string("other information"),
    )


def _key_info_octets(key_info: KeyInfo | None) -> bytes:
    if key_info is None:
        return b"\x00"
    if isinstance(key_info, IdentifiedKey):
        return bytes((1, IDENTIFIED_KEY, key_info.key_id))
    if isinstance(key_info, WrappedKey):
        if not 0 <= key_info.kek_id <= 0xFF:
            raise UsageError("a key id has 8 bits")
        return bytes((1, WRAPPED_KEY, key_info.kek_id)) + _string(key_info.key_ciphered)
    return bytes((1, AGREED_KEY)) + _string(key_info.parameters) + _string(key_info.key_ciphered)


def _read_key_info(reader: Reader) -> KeyInfo:
    at = reader.offset
    choice = reader.unsigned(1, "key information")
    if choice == IDENTIFIED_KEY:
        key_id = reader.unsigned(1, "a key id")
        if key_id not in (KeyId.GLOBAL_UNICAST, KeyId.GLOBAL_BROADCAST):
            raise PeerError("bad_key_info", f"key id {key_id} names no key", at + 1)
        return IdentifiedKey(KeyId(key_id))
    if choice == WRAPPED_KEY:
        return WrappedKey(reader.unsigned(1, "a key id"), reader.string("a wrapped key"))
    if choice == AGREED_KEY:
        return AgreedKey(reader.string("key parameters"), reader.string("an agreed key"))
    raise PeerError("bad_key_info", f"key information of kind {choice}", at)
