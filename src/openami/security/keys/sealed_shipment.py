"""Sealed shipment files: a shipment encrypted to one utility and signed by one maker. Format: docs/protocol.

``OASHIP01 | maker | shipment id | recipient 16 | ephemeral key 64 | length u64 | ciphertext and tag | signature 64``,
texts with a length octet. The key of the ciphertext comes from ECDH between the ephemeral key and the utility's own
(P-256, HKDF-SHA-256); everything before the ciphertext is authenticated with it (AES-256-GCM; the key is used once, so
the nonce is zero). The maker signs everything before the signature (ECDSA, P-256, SHA-256). What is inside must name
the maker that signed it: a signature taken off and put under another name opens nothing.

Nothing of the file is believed before its signature: unsigned octets reach neither the private key nor the parser.

Source: NIST SP 800-56A rev. 3 (one-pass Diffie-Hellman), RFC 5869, FIPS 186-5, SP 800-38D.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from openami.kernel.errors import MisuseError
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import MAX_SHIPMENT_OCTETS, MAX_TEXT, Shipment, ShipmentError, parse_shipment
from openami.security.suites.curve import public_key_of, shared_secret, sign, verify_signature
from openami.security.suites.errors import SuiteError

MAGIC = b"OASHIP01"
POINT_OCTETS = 64
SCALAR_OCTETS = 32
SIGNATURE_OCTETS = 64
RECIPIENT_OCTETS = 16
TAG_OCTETS = 16
MAX_FILE_OCTETS = MAX_SHIPMENT_OCTETS + 2 * (1 + 4 * MAX_TEXT) + 1_024
_LENGTH_OCTETS = 8
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256, FIPS 186-5."""
_ZERO_NONCE = bytes(12)
_SIGNED = b"openami shipment file v1|"
_DERIVED = b"openami shipment key v1|"


@dataclass(frozen=True, slots=True)
class SealedHead:
    """What is clear of a sealed shipment.

    Args:
        maker: who signed it, by its own word.
        shipment_id: the maker's name for it.
        recipient: fingerprint of the key that it is encrypted to.
        ephemeral_key: ``X || Y`` of the maker's key for this file alone.
        octets: all of it as it stands in the file, with the length of the ciphertext.
        ciphertext_octets: length of ciphertext and tag.
    """

    maker: str
    shipment_id: str
    recipient: bytes
    ephemeral_key: bytes
    octets: bytes
    ciphertext_octets: int


def scalar_of(octets: bytes) -> bytes:
    """Return a private key of P-256 from 32 random octets. Close to uniform: the curve's order is close to 2**256."""
    if len(octets) != SCALAR_OCTETS:
        raise MisuseError(f"a private key is made of {SCALAR_OCTETS} random octets")
    return (int.from_bytes(octets) % (_ORDER - 1) + 1).to_bytes(SCALAR_OCTETS)


def fingerprint_of_point(public_key: bytes) -> bytes:
    """Return the 16 octets by which a file names the key that it is encrypted to."""
    return sha256(public_key).digest()[:RECIPIENT_OCTETS]


def is_sealed_shipment(octets: bytes) -> bool:
    """Tell whether a file begins as a sealed shipment does."""
    return octets.startswith(MAGIC)


def seal_shipment(
    document: bytes,
    *,
    maker: str,
    shipment_id: str,
    maker_key: bytes,
    recipient_key: bytes,
    dice: Callable[[int], bytes],
) -> bytes:
    """Return a sealed shipment, as a maker's factory writes it.

    Args:
        document: the plain shipment.
        maker: who makes it, as in the document, 1 to 80 characters.
        shipment_id: its name, as in the document, 1 to 80 characters.
        maker_key: the maker's private signing key, 32 octets.
        recipient_key: the utility's public key, ``X || Y``.
        dice: source of random octets nobody can guess.

    Raises:
        MisuseError: a text of another length, or no scalar.
        SuiteError: the utility's key is no point of the curve.
    """
    ephemeral = scalar_of(dice(SCALAR_OCTETS))
    head = MAGIC + _text_octets(maker) + _text_octets(shipment_id) + fingerprint_of_point(recipient_key)
    head += public_key_of(ephemeral) + (len(document) + TAG_OCTETS).to_bytes(_LENGTH_OCTETS)
    key = _derived(shared_secret(ephemeral, recipient_key), public_key_of(ephemeral), recipient_key)
    body = head + AESGCM(key).encrypt(_ZERO_NONCE, document, head)
    return body + sign(maker_key, _SIGNED + body)


def open_shipment(octets: bytes, *, own_key: Secret, keys_of_maker: Sequence[bytes]) -> Shipment:
    """Return what is inside a sealed shipment.

    Args:
        octets: the whole file.
        own_key: the utility's private key, 32 octets.
        keys_of_maker: public keys registered for the maker that :func:`parse_head` names.

    Raises:
        ShipmentError: it is cut or altered, signed by nobody we know, for another utility, or what is inside is wrong.
    """
    head = parse_head(octets)
    body, signature = octets[:-SIGNATURE_OCTETS], octets[-SIGNATURE_OCTETS:]
    if not keys_of_maker:
        raise ShipmentError(f"shipment {head.shipment_id}: no key of maker {head.maker} is registered")
    if not any(_is_signed(key, body, signature) for key in keys_of_maker):
        raise ShipmentError(f"shipment {head.shipment_id}: it is not signed by {head.maker}, or was altered since")
    own_public = public_key_of(own_key.reveal())
    if head.recipient != fingerprint_of_point(own_public):
        raise ShipmentError(
            f"shipment {head.shipment_id}: it is encrypted to key {head.recipient.hex()}, ours is "
            f"{fingerprint_of_point(own_public).hex()}"
        )
    try:
        key = _derived(shared_secret(own_key.reveal(), head.ephemeral_key), head.ephemeral_key, own_public)
        document = AESGCM(key).decrypt(_ZERO_NONCE, body[len(head.octets) :], head.octets)
    except (InvalidTag, SuiteError):
        raise ShipmentError(f"shipment {head.shipment_id}: it does not open with our key") from None
    shipment = parse_shipment(document)
    if (shipment.maker, shipment.shipment_id) != (head.maker, head.shipment_id):
        raise ShipmentError(f"shipment {head.shipment_id} of {head.maker} holds another shipment than it names")
    return shipment


def parse_head(octets: bytes) -> SealedHead:
    """Return the clear part of a sealed shipment. It says what it is; only the signature proves it.

    Raises:
        ShipmentError: not a sealed shipment, or not a whole one.
    """
    if not is_sealed_shipment(octets):
        raise ShipmentError("the file does not begin as a sealed shipment does")
    if len(octets) > MAX_FILE_OCTETS:
        raise ShipmentError(f"the file has {len(octets)} octets, the limit is {MAX_FILE_OCTETS}")
    maker, at = _text_at(octets, len(MAGIC))
    shipment_id, at = _text_at(octets, at)
    recipient, at = octets[at : at + RECIPIENT_OCTETS], at + RECIPIENT_OCTETS
    ephemeral_key, at = octets[at : at + POINT_OCTETS], at + POINT_OCTETS
    length, at = int.from_bytes(octets[at : at + _LENGTH_OCTETS]), at + _LENGTH_OCTETS
    if length < TAG_OCTETS or len(octets) != at + length + SIGNATURE_OCTETS:
        raise ShipmentError("the sealed shipment is cut, or has octets after its end")
    return SealedHead(maker, shipment_id, recipient, ephemeral_key, octets[:at], length)


def _is_signed(key: bytes, body: bytes, signature: bytes) -> bool:
    try:
        return verify_signature(key, _SIGNED + body, signature)
    except SuiteError:
        return False


def _derived(secret: bytes, ephemeral_key: bytes, recipient_key: bytes) -> bytes:
    info = _DERIVED + ephemeral_key + recipient_key
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def _text_octets(text: str) -> bytes:
    octets = text.encode()
    if not 1 <= len(text) <= MAX_TEXT or len(octets) > 255:
        raise MisuseError(f"a maker or shipment has a name of 1 to {MAX_TEXT} characters, 255 octets at most")
    return bytes([len(octets)]) + octets


def _text_at(octets: bytes, at: int) -> tuple[str, int]:
    length = octets[at] if at < len(octets) else 0
    end = at + 1 + length
    try:
        text = octets[at + 1 : end].decode()
    except UnicodeDecodeError:
        raise ShipmentError("the sealed shipment names its maker or itself in no UTF-8") from None
    if end > len(octets) or not text.isprintable() or not 1 <= len(text) <= MAX_TEXT:
        raise ShipmentError("the sealed shipment is cut, or a name in it is empty or too long")
    return text, end
