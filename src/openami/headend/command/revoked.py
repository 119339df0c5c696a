"""The standing fact ``REVOKED``: what people reported of collectors, and the authority's own list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from openami.contracts.directive import DirectiveKind
from openami.headend.command.ports import CommandUnavailableError
from openami.security.access.stolen import ReportBook, ReportsUnavailableError, revoked_by
from openami.security.pki import PkiError, RevocationList


class RevokedCollectors:
    """Whom the gateway lets in no more.

    Args:
        book: what people reported.
        listed: ``pki/revoked`` of the home.
        real_now: the host's clock.
    """

    kind = DirectiveKind.REVOKED

    def __init__(self, book: ReportBook, listed: RevocationList, real_now: Callable[[], datetime]) -> None:
        self._book = book
        self._listed = listed
        self._real_now = real_now

    async def bodies(self) -> Mapping[int, bytes]:
        """Return the one body.

        Raises:
            CommandUnavailableError: reports or list cannot be read; what was told stays in force.
        """
        try:
            self._listed.refresh()
            revoked = revoked_by(await self._book.reports(), now=self._real_now())
        except (ReportsUnavailableError, PkiError) as error:
            raise CommandUnavailableError(str(error)) from error
        return {0: replace(revoked, serials=revoked.serials | self._listed.serials).encode()}
