"""How a peer that speaks correctly may say no. None of these is a :class:`PeerError`: nothing is wrong with its octets.

A refused attribute or method is :class:`openami.protocol.association.ports.AccessRefusedError` or
:class:`openami.protocol.association.ports.ActionRefusedError`.
"""

from __future__ import annotations

from openami.kernel.errors import OpenAmiError
from openami.protocol.apdu.acse import AssociationResult


class AssociationRefusedError(OpenAmiError):
    """The server does not take the association.

    Args:
        result: for now or for good.
        diagnostic: why, as sent (:class:`openami.protocol.apdu.acse.Diagnostic` where it is the service user's).
        is_provider: whether the diagnostic is the service provider's.
    """

    def __init__(self, result: AssociationResult, diagnostic: int, *, is_provider: bool = False) -> None:
        super().__init__(f"association refused: {result.name.lower()}, diagnostic {diagnostic}")
        self.result = result
        self.diagnostic = diagnostic
        self.is_provider = is_provider


class ServiceRefusedError(OpenAmiError):
    """The server could not serve a request at all. Nobody has proved this answer: it comes without protection.

    Args:
        state_error: as sent.
        service_error: as sent; 5 it could not open our message, 6 our counter did not rise.
        expected_counter: the counter it says it waits for, with service error 6; a hint, never to be trusted alone.
    """

    def __init__(self, state_error: int, service_error: int, expected_counter: int | None = None) -> None:
        super().__init__(f"service refused: state error {state_error}, service error {service_error}")
        self.state_error = state_error
        self.service_error = service_error
        self.expected_counter = expected_counter
