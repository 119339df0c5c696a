"""Where people state what happened to the signals that rates follow, and see what was stated."""

from __future__ import annotations

from uuid import uuid4

from openami.app.billing.bill_room import bill_room
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings
from openami.billing.signal.document import parse_statements
from openami.billing.signal.statement import Statement
from openami.kernel.errors import OpenAmiError
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose

MOST_SHOWN = 200


class SignalRefusedError(OpenAmiError):
    """A file states what no rate of the home follows; the text names it."""


class SignalDesk:
    """Statements of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def load(self, person: Actor, octets: bytes, name: str) -> list[Statement]:
        """Keep the statements of a file.

        Args:
            person: who says so.
            octets: the file.
            name: of the file, for the log.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
            TariffError: the file cannot be read; the place is named.
            SignalRefusedError: no rate follows such a signal: a mistyped name would never be heard.
        """
        async with bill_room(self._settings) as billing:
            now = self._settings.clock().now()
            read = parse_statements(octets, at=now, by="", new_id=uuid4)
            known = {
                *(("events", e.signal) for r in billing.rates.values() for v in r.versions for e in v.events),
                *(("prices", p.signal) for r in billing.rates.values() for v in r.versions for p in v.periods),
                ("peaks", "system"),
            }
            for one in read:
                if (one.kind.value, one.signal) not in known:
                    raise SignalRefusedError(f"{name}: no rate of this home follows {one.kind.value} of {one.signal!r}")
            act = Act(Kind.BILLING, "rates.signals", f"{len(read)} statements of {name[:60]}")
            async with acting(self._settings, person, act) as who:
                rows = parse_statements(octets, at=now, by=str(who.user_id), new_id=uuid4)
                await billing.book.signals.enter(rows)
                return rows

    async def newest(self, person: Actor) -> list[Statement]:
        """Return what was stated last, the newest first. Raises as :meth:`load` does of the person."""
        async with bill_room(self._settings) as billing:
            act = Act(Kind.BILLING, "rates.signals.list", "", Action.READ, Purpose.OPERATIONS)
            async with acting(self._settings, person, act):
                return await billing.book.signals.newest(MOST_SHOWN)
