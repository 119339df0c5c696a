"""The decision table: what each role may do, and that everything else is denied."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from uuid import uuid4

import pytest

from openami.kernel.time import Period
from openami.security.access.policy import TABLE, Action, Kind, Relation, decide
from openami.security.access.role import STAFF_ROLES, Grant, Principal, Role
from openami.security.access.scope import Purpose

HOME, OTHER = uuid4(), uuid4()
PERIOD = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def principal(*roles: Role) -> Principal:
    return Principal(uuid4(), frozenset(roles), (Grant(HOME, PERIOD),) if Role.CUSTOMER in roles else ())


@pytest.mark.parametrize(("action", "kind", "purpose"), list(product(Action, Kind, Purpose)))
def test_nobody_without_a_role_may_do_anything(action: Action, kind: Kind, purpose: Purpose) -> None:
    assert not decide(principal(), action=action, kind=kind, purpose=purpose).allowed


@pytest.mark.parametrize("kind", [Kind.INTERVALS, Kind.BILL, Kind.ACCESS_LOG])
def test_a_customer_reads_their_own_service_point_and_no_other(kind: Kind) -> None:
    me = principal(Role.CUSTOMER)
    own, foreign, both, none = (
        decide(me, action=Action.READ, kind=kind, purpose=Purpose.OWN_DATA, service_points=frozenset(s)).allowed
        for s in ({HOME}, {OTHER}, {HOME, OTHER}, set())
    )
    assert (own, foreign, both, none) == (True, False, False, False)


def test_a_customer_cannot_borrow_a_purpose_of_staff() -> None:
    for purpose in set(Purpose) - {Purpose.OWN_DATA}:
        decision = decide(
            principal(Role.CUSTOMER),
            action=Action.READ,
            kind=Kind.INTERVALS,
            purpose=purpose,
            service_points=frozenset({HOME}),
        )
        assert not decision.allowed, purpose


def test_staff_without_a_stated_purpose_of_their_own_see_no_home() -> None:
    for role in STAFF_ROLES:
        decision = decide(
            principal(role),
            action=Action.READ,
            kind=Kind.INTERVALS,
            purpose=Purpose.OWN_DATA,
            service_points=frozenset({HOME}),
        )
        assert not decision.allowed, role


@pytest.mark.parametrize("role", [Role.VIEWER, Role.INSTALLER, Role.SECADM, Role.SECAUD, Role.THIRD_PARTY])
def test_roles_off_the_desk_see_no_usage_for_any_purpose(role: Role) -> None:
    for purpose in Purpose:
        decision = decide(
            principal(role),
            action=Action.READ,
            kind=Kind.INTERVALS,
            purpose=purpose,
            service_points=frozenset({HOME}),
        )
        assert not decision.allowed, purpose


def test_figures_of_devices_never_open_a_service_point() -> None:
    decision = decide(
        principal(Role.OPERATOR),
        action=Action.READ,
        kind=Kind.OPERATIONS,
        purpose=Purpose.OPERATIONS,
        service_points=frozenset({HOME}),
    )
    assert not decision.allowed


def test_only_the_desk_and_installers_may_change_an_installation() -> None:
    allowed = {
        role
        for role in Role
        if decide(principal(role), action=Action.CHANGE, kind=Kind.INSTALLATION, purpose=Purpose.OPERATIONS).allowed
    }
    assert allowed == {Role.OPERATOR, Role.ENGINEER, Role.INSTALLER}


def test_no_rule_gives_every_service_point_to_someone_outside_the_utility() -> None:
    for rule in TABLE:
        if rule.relation is Relation.ANY:
            assert rule.roles <= STAFF_ROLES
