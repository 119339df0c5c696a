"""One act of one person at the command line: sign in, let the gate decide and write it down, act, sign out.

Nobody's word is taken for who they are. What is refused is in the audit log too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from openami.app.engines.rooms import room_database
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.settings import Settings
from openami.kernel.errors import OpenAmiError
from openami.security.access.gate import Gate, Look
from openami.security.access.policy import Action, Kind
from openami.security.access.role import Principal
from openami.security.access.scope import Purpose
from openami.security.adapters.audit_postgres import PostgresAuditLog

CONSOLE = "console"
"""Where a person at the command line signs in from, for the limit on attempts."""


MAX_SUBJECTS = 1_000
"""Places that one row of the log names."""


class SignInRefusedError(OpenAmiError):
    """A login and password that sign nobody in."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts."""

    login: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decided:
    """Who acts on a page: the portal's door has signed them in, decided on this very act, and written it down."""

    principal: Principal


Actor: TypeAlias = Person | Decided


@dataclass(frozen=True, slots=True)
class Act:
    """What a person does.

    Args:
        kind: to what kind of thing.
        query: name of the operation, for example ``keys.compromise``.
        note: what exactly, for the audit log; no identity of a customer and no secret.
        action: a change, or a look.
        purpose: why.
        service_points: the places that it is about, for whoever lives there to see; empty for devices.
    """

    kind: Kind
    query: str
    note: str = ""
    action: Action = Action.CHANGE
    purpose: Purpose = Purpose.OPERATIONS
    service_points: frozenset[UUID] = frozenset()


@asynccontextmanager
async def acting(settings: Settings, person: Actor, act: Act) -> AsyncIterator[Principal]:
    """Hold a signed-in person for the length of one act that is decided and in the log.

    Raises:
        SignInRefusedError: nobody signs in so.
        AccessDeniedError: the table of roles does not allow it.
        AuditUnavailableError: the log does not take the row.
    """
    if isinstance(person, Decided):
        yield person.principal
        return
    async with (
        room_database(settings, "openami_access") as access,
        room_database(settings, "openami_audit") as audit,
    ):
        accounts = accounts_of(settings, access, RealClock())
        session = await accounts.sign_in(login=person.login, password=person.password, address=CONSOLE)
        if session is None:
            raise SignInRefusedError("this login and password sign nobody in")
        try:
            gate = Gate(PostgresAuditLog(audit), RealClock(), settings.clock())
            places = sorted(act.service_points)
            # Several rows where one does not name all of them: else many places at once would be a way to look unseen.
            for at in range(0, max(len(places), 1), MAX_SUBJECTS):
                subjects = frozenset(places[at : at + MAX_SUBJECTS])
                look = Look(act.action, act.kind, act.purpose, act.query, subjects, note=act.note)
                await gate.open(session.principal, look)
            yield session.principal
        finally:
            await accounts.sign_out(session.secret)
