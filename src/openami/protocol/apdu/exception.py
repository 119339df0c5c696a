"""exception-response: the peer could not serve what it was sent.

``D8 | state error | service error``, and a u32 counter after service error 6. Source: IEC 62056-5-3, 8.
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.protocol.apdu.tags import ApduTag
from openami.protocol.errors import PeerError, UsageError

INVOCATION_COUNTER_ERROR = 6


@dataclass(frozen=True, slots=True)
class ExceptionResponse:
    """Error codes; ``expected_counter`` is sent only with an invocation counter error."""

    state_error: int
    service_error: int
    expected_counter: int | None = None


def encode_exception(response: ExceptionResponse) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: a code over 8 bits, or a counter where none belongs.
    """
    needs_counter = response.service_error == INVOCATION_COUNTER_ERROR
    if needs_counter != (response.expected_counter is not None):
        raise UsageError("a counter belongs to service error 6, and to no other")
    try:
        head = bytes((ApduTag.EXCEPTION_RESPONSE, response.state_error, response.service_error))
        return head + (response.expected_counter.to_bytes(4) if response.expected_counter is not None else b"")
    except (ValueError, OverflowError) as error:
        raise UsageError("an exception code has 8 bits, a counter 32") from error


def decode_exception(octets: bytes) -> ExceptionResponse:
    """Read an exception-response that fills the octets.

    Raises:
        PeerError: another length than its codes ask for.
    """
    if len(octets) < 3:
        raise PeerError("cut", "the octets end inside an exception-response", len(octets))
    wanted = 7 if octets[2] == INVOCATION_COUNTER_ERROR else 3
    if len(octets) != wanted:
        code = "cut" if len(octets) < wanted else "trailing"
        raise PeerError(code, f"an exception-response of {len(octets)} octets, expected {wanted}", min(len(octets), 3))
    return ExceptionResponse(octets[1], octets[2], int.from_bytes(octets[3:]) if wanted == 7 else None)
