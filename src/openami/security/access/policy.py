"""The decision: a table of what is allowed. Whatever the table does not name is denied.

Pure: no clock, no database. ``decide`` answers for one action on one kind of thing, for one purpose, and says why; the
gate (:mod:`openami.security.access.gate`) writes the answer to the audit log before anything is returned.

Source: research on access control (two layers, deny by default); roles of IEC 62351-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from openami.security.access.role import Principal, Role
from openami.security.access.scope import Purpose


class Action(StrEnum):
    """What is done."""

    READ = "read"
    EXPORT = "export"
    CHANGE = "change"


class Kind(StrEnum):
    """What it is done to."""

    SESSION = "session"
    OWN_SERVICE_POINTS = "own_service_points"
    INTERVALS = "intervals"
    BILL = "bill"
    RATE_WISH = "rate_wish"
    """A customer's wish to be on another rate."""
    OWN_READ = "own_read"
    """What a customer read on their own meter."""
    RADIO = "radio"
    ACCESS_LOG = "access_log"
    LIVE_EVENTS = "live_events"
    OPERATIONS = "operations"
    DEAD_LETTERS = "dead_letters"
    METER = "meter"
    METER_READ = "meter_read"
    INSTALLATION = "installation"
    MASTER_DATA = "master_data"
    """Facts of places: service, account, rate, bill group, multipliers, corrections of who hung where."""
    FIRMWARE = "firmware"
    KEYS = "keys"
    COLLECTOR = "collector"
    THRESHOLD = "threshold"
    SWITCH = "switch"
    """Switching orders: what is done to customers' supply."""
    SUPPLY_HOLD = "supply_hold"
    """Why a place may not be switched, and who has paid: the customer room's own."""
    LIST_KEY = "list_key"
    """Which keys may sign order lists."""
    ALERT = "alert"
    GROUP_USAGE = "group_usage"
    """Usage of groups as totals, within the utility; exported, what a rule and the differencing guard let out."""
    VIRTUAL_CHANNEL = "virtual_channel"
    RETENTION = "retention"
    """How long readings are kept, and their removal."""
    VEE = "vee"
    """Findings about readings, cases of them, and what people decide."""
    BILLING = "billing"
    """Bills as work: what is held, what was corrected and why, the ledger."""


class Relation(StrEnum):
    """What ties the actor to the thing."""

    NONE = "none"
    """The thing belongs to nobody in particular: totals, worklists of devices, the actor's own session."""
    OWN = "own"
    """Service points granted to the actor, for the granted time only."""
    ANY = "any"
    """Every service point of the utility, for a stated purpose."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: these roles may do this to that, so related, for one of these purposes."""

    roles: frozenset[Role]
    action: Action
    kind: Kind
    relation: Relation
    purposes: frozenset[Purpose]


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or not, and why. ``relation`` is the widest that the allowing rule gives."""

    allowed: bool
    reason: str
    relation: Relation = Relation.NONE


def _rule(
    roles: tuple[Role, ...], action: Action, kind: Kind, relation: Relation, purposes: tuple[Purpose, ...]
) -> Rule:
    return Rule(frozenset(roles), action, kind, relation, frozenset(purposes))


_OWNER = (Role.CUSTOMER,)
_DESK = (Role.OPERATOR, Role.ENGINEER)
_CONSOLE = (Role.VIEWER, Role.OPERATOR, Role.ENGINEER, Role.INSTALLER, Role.SECADM, Role.SECAUD)
_OWN_DATA = (Purpose.OWN_DATA,)
_DESK_WORK = (Purpose.CUSTOMER_SERVICE, Purpose.OPERATIONS)
_OPERATIONS = (Purpose.OPERATIONS,)

TABLE: tuple[Rule, ...] = (
    _rule(tuple(Role), Action.READ, Kind.SESSION, Relation.NONE, _OWN_DATA),
    _rule(tuple(Role), Action.CHANGE, Kind.SESSION, Relation.NONE, _OWN_DATA),
    # A customer sees what is theirs, and nothing of anyone else's.
    _rule(_OWNER, Action.READ, Kind.OWN_SERVICE_POINTS, Relation.NONE, _OWN_DATA),
    _rule(_OWNER, Action.READ, Kind.INTERVALS, Relation.OWN, _OWN_DATA),
    _rule(_OWNER, Action.EXPORT, Kind.INTERVALS, Relation.OWN, _OWN_DATA),
    _rule(_OWNER, Action.READ, Kind.BILL, Relation.OWN, _OWN_DATA),
    # Whoever pays chooses the rate; the desk records no wish in a customer's name.
    _rule(_OWNER, Action.CHANGE, Kind.RATE_WISH, Relation.OWN, _OWN_DATA),
    # So does whoever stands before the meter: the desk has its own road for reads that it takes.
    _rule(_OWNER, Action.READ, Kind.OWN_READ, Relation.OWN, _OWN_DATA),
    _rule(_OWNER, Action.CHANGE, Kind.OWN_READ, Relation.OWN, _OWN_DATA),
    _rule(_OWNER, Action.READ, Kind.RADIO, Relation.OWN, _OWN_DATA),
    _rule(_OWNER, Action.READ, Kind.ACCESS_LOG, Relation.OWN, _OWN_DATA),
    _rule(_OWNER, Action.READ, Kind.LIVE_EVENTS, Relation.NONE, _OWN_DATA),
    # The desk looks at a customer's data for stated work; each look is in the log that the customer reads.
    _rule(_DESK, Action.READ, Kind.INTERVALS, Relation.ANY, _DESK_WORK),
    _rule(_DESK, Action.READ, Kind.RADIO, Relation.ANY, _DESK_WORK),
    _rule((Role.OPERATOR,), Action.READ, Kind.BILL, Relation.ANY, (Purpose.CUSTOMER_SERVICE,)),
    # Reads and determinants for the utility's own billing system, handed out by a person.
    _rule(_DESK, Action.EXPORT, Kind.BILL, Relation.ANY, _OPERATIONS),
    _rule((Role.SECAUD,), Action.READ, Kind.ACCESS_LOG, Relation.ANY, _OPERATIONS),
    # Figures of devices and totals: no usage of a single home.
    _rule(_CONSOLE, Action.READ, Kind.LIVE_EVENTS, Relation.NONE, _OPERATIONS),
    _rule(_CONSOLE, Action.READ, Kind.OPERATIONS, Relation.NONE, _OPERATIONS),
    _rule((*_DESK, Role.SECADM, Role.SECAUD), Action.READ, Kind.DEAD_LETTERS, Relation.NONE, _OPERATIONS),
    # A counter that jumped: whoever believes it looks at the meter first, and is named in the log.
    _rule(_DESK, Action.CHANGE, Kind.DEAD_LETTERS, Relation.NONE, _OPERATIONS),
    _rule((*_DESK, Role.INSTALLER), Action.READ, Kind.METER, Relation.NONE, _OPERATIONS),
    # A meter read by hand shows a home's figures: the customer sees who asked.
    _rule(_DESK, Action.READ, Kind.METER_READ, Relation.ANY, _DESK_WORK),
    _rule(_DESK, Action.CHANGE, Kind.METER_READ, Relation.ANY, _DESK_WORK),
    _rule((*_DESK, Role.INSTALLER), Action.CHANGE, Kind.INSTALLATION, Relation.NONE, _OPERATIONS),
    # What a bill rests on: an installer corrects none of it, and who lives there sees that it was changed.
    _rule(_DESK, Action.CHANGE, Kind.MASTER_DATA, Relation.ANY, _OPERATIONS),
    _rule(_CONSOLE, Action.READ, Kind.COLLECTOR, Relation.NONE, _OPERATIONS),
    # Whoever hears that a collector is gone reports it at once; one person is enough to let in less.
    _rule((*_DESK, Role.INSTALLER, Role.SECADM), Action.CHANGE, Kind.COLLECTOR, Relation.NONE, _OPERATIONS),
    # Each alone may plan, approve or stop a campaign; that two different people must have is asked for elsewhere.
    _rule((*_DESK, Role.SECADM), Action.CHANGE, Kind.FIRMWARE, Relation.NONE, _OPERATIONS),
    # What may be switched, and what the gateway keeps. Two different people change it; each alone may propose.
    _rule(_CONSOLE, Action.READ, Kind.THRESHOLD, Relation.NONE, _OPERATIONS),
    _rule((*_DESK, Role.SECADM), Action.CHANGE, Kind.THRESHOLD, Relation.NONE, _OPERATIONS),
    # Where keys stand, never a key. Whoever learns that keys leaked must be able to say so at once.
    _rule((*_DESK, Role.SECADM, Role.SECAUD), Action.READ, Kind.KEYS, Relation.NONE, _OPERATIONS),
    _rule((*_DESK, Role.SECADM), Action.CHANGE, Kind.KEYS, Relation.NONE, _OPERATIONS),
    # Each alone may order, approve or withdraw; how many people an order needs is asked for elsewhere.
    _rule((*_DESK, Role.SECADM, Role.SECAUD), Action.READ, Kind.SWITCH, Relation.ANY, _OPERATIONS),
    _rule(_DESK, Action.CHANGE, Kind.SWITCH, Relation.ANY, _OPERATIONS),
    # What a customer is held for is for the desk that serves customers, and in the log that the customer reads.
    _rule((Role.OPERATOR,), Action.READ, Kind.SUPPLY_HOLD, Relation.ANY, (Purpose.CUSTOMER_SERVICE,)),
    _rule((Role.OPERATOR,), Action.CHANGE, Kind.SUPPLY_HOLD, Relation.ANY, (Purpose.CUSTOMER_SERVICE,)),
    _rule((Role.SECADM,), Action.CHANGE, Kind.LIST_KEY, Relation.NONE, _OPERATIONS),
    # Totals of groups. What leaves the house is judged by the guard as well, whoever asks.
    _rule(_DESK, Action.READ, Kind.GROUP_USAGE, Relation.NONE, _OPERATIONS),
    _rule((Role.OPERATOR,), Action.EXPORT, Kind.GROUP_USAGE, Relation.NONE, _OPERATIONS),
    _rule(_CONSOLE, Action.READ, Kind.RETENTION, Relation.NONE, _OPERATIONS),
    _rule((Role.SECADM,), Action.CHANGE, Kind.RETENTION, Relation.NONE, _OPERATIONS),
    _rule(_DESK, Action.CHANGE, Kind.VIRTUAL_CHANNEL, Relation.NONE, _OPERATIONS),
    # Findings show parts of a home's usage: each look and each edit is in the log that the customer reads.
    _rule(_DESK, Action.READ, Kind.VEE, Relation.ANY, _OPERATIONS),
    _rule(_DESK, Action.CHANGE, Kind.VEE, Relation.ANY, _OPERATIONS),
    # Work on bills shows what a home was charged: each look and each change is in the log that the customer reads.
    _rule(_DESK, Action.READ, Kind.BILLING, Relation.ANY, _OPERATIONS),
    _rule(_DESK, Action.CHANGE, Kind.BILLING, Relation.ANY, _OPERATIONS),
    _rule(_CONSOLE, Action.READ, Kind.ALERT, Relation.NONE, _OPERATIONS),
    _rule((*_DESK, Role.SECADM), Action.CHANGE, Kind.ALERT, Relation.NONE, _OPERATIONS),
)


def decide(
    principal: Principal, *, action: Action, kind: Kind, purpose: Purpose, service_points: frozenset[UUID] = frozenset()
) -> Decision:
    """Tell whether the actor may do this, and why.

    Args:
        principal: who asks.
        action: what is to be done.
        kind: to what kind of thing.
        purpose: the stated reason.
        service_points: the things themselves where they belong to somebody; empty for totals and devices.

    >>> from uuid import uuid4
    >>> viewer = Principal(uuid4(), frozenset({Role.VIEWER}))
    >>> decide(viewer, action=Action.READ, kind=Kind.BILL, purpose=Purpose.CUSTOMER_SERVICE).allowed
    False
    """
    rules = [
        r
        for r in TABLE
        if r.action is action and r.kind is kind and purpose in r.purposes and not r.roles.isdisjoint(principal.roles)
    ]
    if not rules:
        return Decision(allowed=False, reason="no rule allows this role, action, kind and purpose")
    relations = {r.relation for r in rules}
    if Relation.ANY in relations:
        return Decision(allowed=True, reason="staff rule for a stated purpose", relation=Relation.ANY)
    if Relation.OWN in relations:
        own = {g.service_point_id for g in principal.grants}
        if service_points and service_points <= own:
            return Decision(allowed=True, reason="own service point", relation=Relation.OWN)
        return Decision(allowed=False, reason="not a service point of this account")
    if service_points:
        return Decision(allowed=False, reason="the rule gives totals and devices, not a service point")
    return Decision(allowed=True, reason="rule without a subject", relation=Relation.NONE)
