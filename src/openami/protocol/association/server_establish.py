"""Judging an AARQ on the server's side: who asks, how, and what both can do. Changes nothing but the accepted counter.

Source: IEC 62056-5-3, 7.3.1 (opening an association), 9.4.2 (diagnostics), 8.2 (``ConfirmedServiceError``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import (
    DLMS_VERSION,
    ApplicationContext,
    AssociationRequest,
    ConfirmedServiceError,
    Conformance,
    Diagnostic,
    InitiateRequest,
    Mechanism,
)
from openami.protocol.association.form import PROTECTION_BITS, SUITE_BITS, Form
from openami.protocol.association.limits import MAX_CHALLENGE_OCTETS, MIN_CHALLENGE_OCTETS, MIN_PDU_OCTETS
from openami.protocol.association.ports import ClientProfile, SecurityIncident
from openami.protocol.association.protection import Protection
from openami.protocol.envelope.limits import MAX_APDU_OCTETS
from openami.protocol.envelope.sealed import TITLE_OCTETS
from openami.protocol.errors import PeerError
from openami.security.suites.challenge import is_same_secret
from openami.security.suites.gcm import ENCRYPTED, KEY_OCTETS_BY_SUITE

_INITIATE_SERVICE = 1
_INITIATE_ERROR = 6
_VERSION_TOO_LOW, _INCOMPATIBLE, _PDU_TOO_SHORT, _REFUSED = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Refused:
    """The association is not taken.

    Args:
        diagnostic: why, as it is answered.
        incident: what the device should know; None where nobody did wrong.
        service_error: why the initiate request fails; None where it is not the reason.
    """

    diagnostic: Diagnostic
    incident: SecurityIncident | None = None
    service_error: ConfirmedServiceError | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What both ends agree on.

    Args:
        request: the AARQ.
        initiate: its initiate request.
        conformance: services that both have.
        max_pdu_octets: largest APDU that the client takes.
        form: how the initiate request was protected, and how it is answered.
        control: its security control octet; 0 where plain.
    """

    request: AssociationRequest = field(repr=False)
    initiate: InitiateRequest
    conformance: Conformance
    max_pdu_octets: int
    form: Form
    control: int

    @property
    def is_ciphered(self) -> bool:
        """Whether the association's messages may be sealed."""
        return self.request.context is ApplicationContext.LOGICAL_NAMES_CIPHERED


_INCIDENTS = {
    "plaintext": SecurityIncident.PLAINTEXT,
    "replay": SecurityIncident.REPLAY,
    "jump": SecurityIncident.REPLAY,
    "downgrade": SecurityIncident.DOWNGRADE,
    "unknown_suite": SecurityIncident.DOWNGRADE,
    "broadcast": SecurityIncident.DOWNGRADE,
    "compressed": SecurityIncident.DOWNGRADE,
    "unauthenticated": SecurityIncident.DOWNGRADE,
    "unprotected": SecurityIncident.DOWNGRADE,
    "bad_tag": SecurityIncident.BAD_TAG,
    "bad_signature": SecurityIncident.BAD_TAG,
    "bad_wrap": SecurityIncident.BAD_TAG,
    "bad_point": SecurityIncident.BAD_TAG,
    "wrong_title": SecurityIncident.BAD_TAG,
    "unknown_key": SecurityIncident.BAD_TAG,
    "unknown_form": SecurityIncident.DOWNGRADE,
    "key_length": SecurityIncident.DOWNGRADE,
    "bad_content": SecurityIncident.BAD_TAG,
}


def incident_of(error: PeerError) -> SecurityIncident | None:
    """Return what a refused message means to the device's log; None where it is merely no message."""
    return _INCIDENTS.get(error.code)


def judge(
    request: AssociationRequest,
    profile: ClientProfile | None,
    protection: Protection | None,
    *,
    expected_title: bytes | None,
) -> Accepted | Refused:
    """Say whether an association is taken.

    Args:
        request: the AARQ.
        profile: what the client must show; None where no such client is known.
        protection: keys and counters of the client; None where it has none.
        expected_title: the client's system title; None where any may come.
    """
    if profile is None:
        return Refused(Diagnostic.NO_REASON)
    refused = (
        _context(request, profile, protection)
        or _title(request, protection, expected_title)
        or _mechanism(request, profile)
    )
    return refused or _initiate(request, profile, protection)


def _context(request: AssociationRequest, profile: ClientProfile, protection: Protection | None) -> Refused | None:
    known = {ApplicationContext.LOGICAL_NAMES, ApplicationContext.LOGICAL_NAMES_CIPHERED}
    is_ciphered = request.context is ApplicationContext.LOGICAL_NAMES_CIPHERED
    if request.context not in known or (is_ciphered and protection is None):
        return Refused(Diagnostic.CONTEXT_NOT_SUPPORTED)
    if profile.control and not is_ciphered:
        return Refused(Diagnostic.CONTEXT_NOT_SUPPORTED, SecurityIncident.DOWNGRADE)
    return None


def _title(request: AssociationRequest, protection: Protection | None, expected: bytes | None) -> Refused | None:
    title = request.calling_title
    is_needed = request.context is ApplicationContext.LOGICAL_NAMES_CIPHERED or request.mechanism >= Mechanism.HIGH
    refused = Refused(Diagnostic.CALLING_TITLE_NOT_RECOGNIZED, SecurityIncident.FAILED_AUTHENTICATION)
    if not is_needed:
        return None
    if title is None or len(title) != TITLE_OCTETS or (expected is not None and title != expected):
        return refused
    # A client under our own title would make both ends' messages seal under one initialization vector.
    return refused if protection is not None and title == protection.own_title else None


def _mechanism(request: AssociationRequest, profile: ClientProfile) -> Refused | None:
    given = request.calling_authentication
    failed = Refused(Diagnostic.AUTHENTICATION_FAILURE, SecurityIncident.FAILED_AUTHENTICATION)
    if request.mechanism is not profile.mechanism:
        if request.mechanism is Mechanism.NONE:
            return Refused(Diagnostic.AUTHENTICATION_REQUIRED, SecurityIncident.DOWNGRADE)
        return Refused(Diagnostic.MECHANISM_NOT_RECOGNIZED, SecurityIncident.DOWNGRADE)
    if request.mechanism is Mechanism.LOW:
        is_right = profile.secret is not None and given is not None and is_same_secret(given, profile.secret)
        return None if is_right else failed
    if request.mechanism >= Mechanism.HIGH and not MIN_CHALLENGE_OCTETS <= len(given or b"") <= MAX_CHALLENGE_OCTETS:
        return failed
    return None


def _initiate(request: AssociationRequest, profile: ClientProfile, protection: Protection | None) -> Accepted | Refused:
    octets, form, control = request.user_information, Form.PLAIN, 0
    try:
        if request.context is ApplicationContext.LOGICAL_NAMES_CIPHERED and protection is not None:
            opened = protection.open(octets, peer_title=request.calling_title)
            octets, form, control = opened.apdu, opened.form, opened.control
        initiate = messages.decode(octets)
    except PeerError as error:
        return Refused(Diagnostic.NO_REASON, incident_of(error))
    if not isinstance(initiate, InitiateRequest):
        return Refused(Diagnostic.NO_REASON)
    conformance = initiate.conformance & profile.conformance
    reason = None
    if initiate.version < DLMS_VERSION:
        reason = _VERSION_TOO_LOW
    elif not conformance:
        reason = _INCOMPATIBLE
    elif 0 < initiate.max_pdu_octets < MIN_PDU_OCTETS:
        reason = _PDU_TOO_SHORT
    elif initiate.dedicated_key is not None and not _may_dedicate(initiate.dedicated_key, control):
        reason = _REFUSED
    if reason is not None:
        failure = ConfirmedServiceError(_INITIATE_SERVICE, _INITIATE_ERROR, reason)
        return Refused(Diagnostic.NO_REASON, service_error=failure)
    size = initiate.max_pdu_octets or MAX_APDU_OCTETS
    return Accepted(request, initiate, conformance, size, form, control)


def _may_dedicate(key: bytes, control: int) -> bool:
    """A dedicated key that everybody could read on the way is no key; and it has the length of its suite."""
    is_secret = bool(control & PROTECTION_BITS & ENCRYPTED)
    return is_secret and len(key) == KEY_OCTETS_BY_SUITE.get(control & SUITE_BITS)
