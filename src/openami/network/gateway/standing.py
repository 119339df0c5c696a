"""What holds at a gateway until core says otherwise: who may send, who may not come in, what people have released.

From directives, which are heard, verified and kept; and from the home's own files, where nothing was said yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from openami.contracts.deadletter import RefusalReason
from openami.contracts.directive import Directive, DirectiveKind
from openami.network.gateway.directives import DirectiveBook
from openami.network.gateway.publisher import Publisher
from openami.network.gateway.quarantine import QUARANTINE
from openami.network.gateway.releases import Releases
from openami.network.gateway.revoked import RevokedPeers
from openami.network.gateway.titles import DirectedTitles
from openami.network.ports import DirectiveBus, KnownTitles, SigningKeys
from openami.security.pki import PkiError, RevocationList

_log = structlog.get_logger(__name__)


class Standing:
    """Standing facts of one gateway.

    Args:
        gateway_id: its number.
        folder: its folder.
        keys: whose directives count.
        bus: where they are heard; None: what is on disk and in files holds.
        titles: devices that may send, until core tells of them.
        revoked: certificates that are refused, beside those that core tells of.
        publisher: where released frames go, and from where those of a stolen collector are taken back.
        end_refused: given what says in one word why a collector with a certificate is refused, ends connections.

    Raises:
        QuarantineError: the disk refused.
    """

    def __init__(
        self,
        *,
        gateway_id: int,
        folder: Path,
        keys: SigningKeys,
        bus: DirectiveBus | None,
        titles: KnownTitles | None,
        revoked: RevocationList,
        publisher: Publisher,
        end_refused: Callable[[Callable[[int, int], str | None]], None],
    ) -> None:
        self.book = DirectiveBook(keys, folder / "directives")
        self.titles = DirectedTitles(titles)
        self.revoked = RevokedPeers(revoked)
        self.releases = Releases(
            gateway_id=gateway_id, folder=folder / QUARANTINE, titles=self.titles, publisher=publisher
        )
        self._keys = keys
        self._bus = bus
        self._publisher = publisher
        self._end_refused = end_refused
        self.book.on(DirectiveKind.KNOWN_TITLES, self._take_titles)
        self.book.on(DirectiveKind.RELEASE, self.releases.take_released)
        self.book.on(DirectiveKind.REVOKED, self._take_revoked)

    async def read(self) -> None:
        """Take what stands on the bus now: nobody gets in before it is known who does not."""
        if self._bus is not None:
            await self._bus.read(self.book.take)

    async def hear(self) -> None:
        """Take what is said, until cancelled."""
        if self._bus is None:
            await asyncio.Event().wait()
        else:
            await self._bus.listen(self.book.take)

    async def refresh(self) -> None:
        """Look whether files have changed, and keep what is new."""
        self.titles.refresh()
        self._keys.refresh()
        try:
            if self.revoked.refresh():
                self._end_refused(self.revoked.refusal_of)
        except PkiError as error:
            _log.warning("gateway.revocation_list_unreadable", problem=str(error))
        if self.book.has_unkept:
            await asyncio.to_thread(self.book.keep)

    def _take_titles(self, directive: Directive) -> None:
        self.titles.take(directive)
        self.releases.titles_changed()

    def _take_revoked(self, directive: Directive) -> None:
        """Put revocations into force, and end what they end now. Raises ContractError."""
        self.revoked.take(directive)
        self._end_refused(self.revoked.refusal_of)
        for collector_id in self.revoked.stolen:
            # What it brought and is not on its way yet; it takes its place in the sequence all the same.
            self._publisher.discredit(collector_id, RefusalReason.STOLEN_COLLECTOR)
