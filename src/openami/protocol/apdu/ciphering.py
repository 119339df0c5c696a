"""general-glo-ciphering: an APDU sealed with a global key. Source: IEC 62056-5-3, 5.7.2.5."""

from __future__ import annotations

from dataclasses import dataclass

from openami.protocol.envelope.sealed import SealedHeader, build_sealed, parse_sealed_header


@dataclass(frozen=True, slots=True)
class GeneralGloCiphering:
    """A sealed APDU: the clear header and the body from the security control on."""

    header: SealedHeader
    sealed_body: bytes


def general_glo(title: bytes, sealed_body: bytes) -> bytes:
    """Return the general-glo-ciphering APDU around what :func:`openami.security.suites.gcm.seal` gave.

    Raises:
        UsageError: a title that has not eight octets, or a body without control and counter.
    """
    return build_sealed(title, sealed_body)


def decode_general_glo(octets: bytes) -> GeneralGloCiphering:
    """Read a general-glo-ciphering APDU.

    Raises:
        PeerError: as :func:`parse_sealed_header`.
    """
    header = parse_sealed_header(octets)
    return GeneralGloCiphering(header, octets[header.body_offset :])
