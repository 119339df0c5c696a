"""Association messages as values: AARQ, AARE, RLRQ, RLRE, and the xDLMS initiate messages that they carry.

Source: IEC 62056-5-3, 7.2 (ACSE, names), 8 (abstract syntax, conformance block).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

DLMS_VERSION = 6
LN_REFERENCING = 0x0007
"""VAA name of an application that is addressed by logical names."""


class ApplicationContext(IntEnum):
    """Last arc of the application context name."""

    LOGICAL_NAMES = 1
    SHORT_NAMES = 2
    LOGICAL_NAMES_CIPHERED = 3
    SHORT_NAMES_CIPHERED = 4


class Mechanism(IntEnum):
    """Last arc of the authentication mechanism name."""

    NONE = 0
    LOW = 1
    HIGH = 2
    HIGH_MD5 = 3
    HIGH_SHA1 = 4
    HIGH_GMAC = 5
    HIGH_SHA256 = 6
    HIGH_ECDSA = 7


class Conformance(IntFlag):
    """Services that both ends may use; bit 0 of the standard is the highest of 24 bits here."""

    GENERAL_PROTECTION = 0x400000
    GENERAL_BLOCK_TRANSFER = 0x200000
    READ = 0x100000
    WRITE = 0x080000
    UNCONFIRMED_WRITE = 0x040000
    DELTA_VALUE_ENCODING = 0x020000
    ATTRIBUTE_0_WITH_SET = 0x008000
    PRIORITY = 0x004000
    ATTRIBUTE_0_WITH_GET = 0x002000
    BLOCK_TRANSFER_WITH_GET = 0x001000
    BLOCK_TRANSFER_WITH_SET = 0x000800
    BLOCK_TRANSFER_WITH_ACTION = 0x000400
    MULTIPLE_REFERENCES = 0x000200
    INFORMATION_REPORT = 0x000100
    DATA_NOTIFICATION = 0x000080
    ACCESS = 0x000040
    PARAMETERIZED_ACCESS = 0x000020
    GET = 0x000010
    SET = 0x000008
    SELECTIVE_ACCESS = 0x000004
    EVENT_NOTIFICATION = 0x000002
    ACTION = 0x000001


class AssociationResult(IntEnum):
    """How the server answers an AARQ."""

    ACCEPTED = 0
    REJECTED_PERMANENT = 1
    REJECTED_TRANSIENT = 2


class Diagnostic(IntEnum):
    """Why, by the service user."""

    NULL = 0
    NO_REASON = 1
    CONTEXT_NOT_SUPPORTED = 2
    CALLING_TITLE_NOT_RECOGNIZED = 3
    MECHANISM_NOT_RECOGNIZED = 11
    MECHANISM_REQUIRED = 12
    AUTHENTICATION_FAILURE = 13
    AUTHENTICATION_REQUIRED = 14


class ReleaseReason(IntEnum):
    """Why an association ends, or how its end was taken."""

    NORMAL = 0
    URGENT = 1
    USER_DEFINED = 30


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """AARQ.

    Args:
        context: application context.
        mechanism: authentication mechanism.
        calling_title: the client's system title; None where nothing is ciphered.
        calling_authentication: password (LLS) or challenge (HLS); not shown.
        user_information: the initiate request, plain or ciphered, as an APDU.
        calling_certificate: the client's signing certificate (calling-AE-qualifier); None where not sent.
    """

    context: ApplicationContext
    mechanism: Mechanism
    calling_title: bytes | None
    calling_authentication: bytes | None = field(repr=False)
    user_information: bytes = field(repr=False)
    calling_certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class AssociationResponse:
    """AARE.

    Args:
        context: application context.
        result: accepted or not.
        diagnostic: why.
        provider_diagnostic: True where the diagnostic is the service provider's, not the user's.
        responding_title: the server's system title.
        mechanism: the mechanism it goes on with; None where none.
        responding_authentication: its challenge (HLS).
        user_information: initiate response or confirmed service error, plain or ciphered.
        responding_certificate: the server's signing certificate (responding-AE-qualifier); None where not sent.
    """

    context: ApplicationContext
    result: AssociationResult
    diagnostic: int
    provider_diagnostic: bool
    responding_title: bytes | None
    mechanism: Mechanism | None
    responding_authentication: bytes | None = field(repr=False)
    user_information: bytes | None = field(repr=False)
    responding_certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """RLRQ; the user information is a ciphered initiate request where the association is ciphered."""

    reason: int | None = ReleaseReason.NORMAL
    user_information: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ReleaseResponse:
    """RLRE."""

    reason: int | None = ReleaseReason.NORMAL
    user_information: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class InitiateRequest:
    """What the client proposes.

    Args:
        conformance: services it can use.
        max_pdu_octets: largest APDU that it takes; 0 is no limit.
        dedicated_key: a key for this association alone; not shown.
        response_allowed: False where no response is wanted.
        quality_of_service: None where not sent.
        version: DLMS version.
    """

    conformance: Conformance
    max_pdu_octets: int
    dedicated_key: bytes | None = field(default=None, repr=False)
    response_allowed: bool = True
    quality_of_service: int | None = None
    version: int = DLMS_VERSION


@dataclass(frozen=True, slots=True)
class InitiateResponse:
    """What the server agrees to."""

    conformance: Conformance
    max_pdu_octets: int
    vaa_name: int = LN_REFERENCING
    quality_of_service: int | None = None
    version: int = DLMS_VERSION


@dataclass(frozen=True, slots=True)
class ConfirmedServiceError:
    """An initiate, read or write that failed: service (1 initiate), error class and value."""

    service: int
    error_class: int
    value: int
