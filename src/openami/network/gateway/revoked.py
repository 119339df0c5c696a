"""Whom the gateway lets in no more: certificates by serial, and collectors reported stolen by number.

A stolen collector is refused whatever certificate it shows: whoever has it may have asked for another one.
"""

from __future__ import annotations

from collections.abc import Mapping

from openami.contracts.directive import Directive
from openami.contracts.directive_body import Revoked, decode_revoked
from openami.security.pki import RevocationList


class RevokedPeers:
    """What the directive ``REVOKED`` says, and the installation's own list beside it.

    Args:
        listed: ``pki/revoked`` of the home.
    """

    def __init__(self, listed: RevocationList) -> None:
        self._listed = listed
        self._directed = Revoked()
        self._is_new = False

    @property
    def stolen(self) -> Mapping[int, int]:
        """Stolen collectors: by number, the real time from which nothing of it is believed [ms since the epoch]."""
        return self._directed.stolen or {}

    def refusal_of(self, collector_id: int, serial: int) -> str | None:
        """Return in one word why this certificate does not get in, or None."""
        if collector_id in self.stolen:
            return "stolen"
        return "revoked" if serial in self._directed.serials or serial in self._listed else None

    def take(self, directive: Directive) -> None:
        """Put a directive into force. Raises ContractError."""
        self._directed = decode_revoked(directive.body)
        self._is_new = True

    def refresh(self) -> bool:
        """Look whether anybody is refused who was not at the last call. Raises PkiError."""
        is_new = self._listed.refresh() or self._is_new
        self._is_new = False
        return is_new
