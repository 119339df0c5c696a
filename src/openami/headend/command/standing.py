"""What the command process tells the DMZ as standing facts: it compares, numbers, signs and publishes.

Each source gives the body that should be in force; a body that already is costs one comparison. The stream is looked
at again every so often, so that one which was lost or brought back from an old copy is mended without a hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import structlog

from openami.contracts.directive import Directive, DirectiveKind
from openami.contracts.directive_body import encode_known_titles
from openami.contracts.stream import PARTITIONS
from openami.headend.command.ports import CommandUnavailableError
from openami.kernel.time import EPOCH
from openami.security.keys.context import KeyState
from openami.security.keys.table import STATES, KeyTable
from openami.security.suites.ed25519 import public_key_of, sign, verifies

LOOK_AGAIN_EVERY = timedelta(seconds=30)
_WITHDRAWN = STATES.index(KeyState.WITHDRAWN)
_log = structlog.get_logger("openami.command")


@dataclass(frozen=True, slots=True)
class Published:
    """A directive as it stands in the stream, and its stream sequence."""

    directive: Directive
    sequence: int


class DirectiveRoad(Protocol):
    """The stream of directives. Raises :class:`CommandUnavailableError` where the bus does not answer."""

    async def extent(self) -> tuple[int, int]:
        """Return the sequence of the last directive that was ever published, 0 for none, and how many are kept."""
        ...

    async def newest(self, kind: DirectiveKind, part: int) -> Published | None:
        """Return what is published now."""
        ...

    async def publish(self, directive: Directive, *, after: int) -> None:
        """Publish a directive, unless another process was faster.

        Args:
            directive: signed.
            after: stream sequence of the one that it replaces, 0 for none.
        """
        ...


class StandingFact(Protocol):
    """One kind of fact. Raises :class:`CommandUnavailableError` where it cannot be found out now."""

    kind: DirectiveKind

    async def bodies(self) -> Mapping[int, bytes]:
        """Return the body that should be in force, by part; a part that is not named is left as it is."""
        ...


class KnownMeters:
    """Every device that has a key pair which is not withdrawn may send.

    Args:
        table: key pairs, kept up to date by others.
    """

    kind = DirectiveKind.KNOWN_TITLES

    def __init__(self, table: KeyTable) -> None:
        self._table = table
        self._revision = 0
        self._bodies: dict[int, bytes] = {}

    async def bodies(self) -> Mapping[int, bytes]:
        """Return the titles of each partition; none while no key has been read, so that nobody is shut out by that."""
        table = self._table
        if table.revision and table.revision != self._revision:
            revision, used = table.revision, table.state != _WITHDRAWN
            titles, partitions = table.title[used], table.partition[used]
            self._bodies = {part: _body(titles[partitions == part]) for part in range(PARTITIONS)}
            self._revision = revision
        return self._bodies


class DirectiveOffice:
    """Keeps the DMZ told.

    Args:
        facts: what is told.
        road: the stream.
        signing_key: Ed25519 private key, 32 octets.
        real_now: the host's clock.
    """

    def __init__(
        self,
        facts: Sequence[StandingFact],
        *,
        road: DirectiveRoad,
        signing_key: bytes,
        real_now: Callable[[], datetime],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._facts = facts
        self._road = road
        self._signing_key = signing_key
        self._public_key = public_key_of(signing_key)
        self._real_now = real_now
        self._in_force: dict[tuple[DirectiveKind, int], bytes] = {}
        self._looked_at: datetime | None = None
        self._extent = (-1, 0)

    async def publish_changed(self) -> None:
        """Publish every body that is not in force. A source or a bus that is away is tried again at the next call."""
        now = self._real_now()
        if self._looked_at is None or not timedelta(0) <= now - self._looked_at < LOOK_AGAIN_EVERY:
            await self._look_again(now)
        for fact in self._facts:
            try:
                for part, body in (await fact.bodies()).items():
                    await self._bring_into_force(fact.kind, part, body)
            except CommandUnavailableError as error:
                _log.warning("directive_waits", kind=fact.kind.name.lower(), problem=str(error))

    async def _look_again(self, now: datetime) -> None:
        """Forget what is in force where the stream is not as we left it: lost, from an old copy, or another's work."""
        try:
            extent = await self._road.extent()
        except CommandUnavailableError as error:
            _log.warning("directives_waits", problem=str(error))
            return
        if extent != self._extent:
            self._in_force.clear()
        self._extent = extent
        self._looked_at = now

    async def _bring_into_force(self, kind: DirectiveKind, part: int, body: bytes) -> None:
        if self._in_force.get((kind, part)) == body:
            return
        newest = await self._road.newest(kind, part)
        if newest is None or newest.directive.body != body or not self._is_ours(newest.directive):
            now_ms = (self._real_now() - EPOCH) // timedelta(milliseconds=1)
            # The clock numbers them, so that a stream which was lost does not begin behind what gateways keep.
            number = max(now_ms, newest.directive.number + 1 if newest else 1)
            directive = Directive(kind, part, number, now_ms, body)
            signature = sign(directive.signed_octets(), private_key=self._signing_key)
            await self._road.publish(directive.signed_with(signature), after=newest.sequence if newest else 0)
            # Looked at once more: what was just published must be there.
            self._extent = (-1, 0)
            self.counts[f"directives_{kind.name.lower()}"] += 1
            _log.info("directive_published", kind=kind.name.lower(), part=part, number=number, octets=len(body))
        self._in_force[kind, part] = body

    def _is_ours(self, directive: Directive) -> bool:
        return verifies(directive.signature, directive.signed_octets(), public_key=self._public_key)


def _body(titles: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> bytes:
    octets = titles.astype(">u8").tobytes()
    return encode_known_titles({octets[i : i + 8]: 0 for i in range(0, len(octets), 8)})
