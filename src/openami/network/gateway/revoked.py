"""Whom the gateway lets in no more: certificates by serial, and collectors reported stolen by number.

A stolen collector is refused whatever certificate it shows: whoever has it may have asked for another one.
"""

from __future__ import annotations

from collections.abc import Mapping

from openami.contracts.directive import Directive
from openami.contracts.directive_body import Revoked, decode_revoked
from openami.security.pki import RevocationList

STOLEN = "stolen"


class RevokedPeers:
    """What the directive ``REVOKED`` says, and the installation's own list beside it.

    Args:
        listed: ``pki/revoked`` of the home.
    """

    def __init__(self, listed: RevocationList) -> None:
        self._listed = listed
        self._directed = Revoked()

    @property
    def stolen(self) -> Mapping[int, int]:
        """Stolen collectors: by number, since when they are away."""
        return self._directed.stolen

    def doubt_of(self, collector_id: int) -> tuple[int, int] | None:
        """Return from when until when a collector that is back was away, by its own clock; None: it never was."""
        return self._directed.doubted.get(collector_id)

    def refusal_of(self, collector_id: int, serial: int) -> str | None:
        """Return in one word why this certificate does not get in, or None."""
        if collector_id in self.stolen:
            return STOLEN
        return "revoked" if serial in self._directed.serials or serial in self._listed else None

    def take(self, directive: Directive) -> None:
        """Put a directive into force. Raises ContractError."""
        self._directed = decode_revoked(directive.body)

    def refresh(self) -> bool:
        """Read the installation's own list again where it has changed; tell whether it has. Raises PkiError."""
        return self._listed.refresh()
