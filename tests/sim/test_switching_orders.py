"""Switching orders through a working day: real meters, the real gateway desk and command service, simulated time."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from tests.sim.switching_day import MORNING, held_medical, paid, working_day
from tests.sim.switching_field import NON_PAYMENT, OF_A_WORKING_DAY, PAID, SAFETY, Field
from tests.unit.headend.switching.desk import ANNA, BEN, HOUR

from openami.contracts.command import CommandClass, CommandEffect
from openami.contracts.threshold import BUILT_IN
from openami.headend.switching.life import PACE_PER_H, WORDS, ItemCode, ItemState
from openami.headend.switching.order import SwitchAction, SwitchReason, SwitchSubject
from openami.meter.tampering import Tampering
from openami.security.watch.alert import AlertRule

MINUTE = timedelta(minutes=1)


async def test_of_a_list_of_200_exactly_180_switch_and_each_refusal_has_its_reason() -> None:
    field, order = await working_day()
    items = field.items()
    turns = field.turns.of(order.subject.order_id)
    assert field.codes(order) == {
        ItemCode.SWITCHED: 180,
        ItemCode.PAID: 12,
        ItemCode.HOLD: 5,
        ItemCode.NOT_COMMUNICATING: 3,
    }
    assert [title for title in field.titles if field.is_on(title)] == field.titles[:20]
    refused = [turn for turn in turns if turn.state is ItemState.REFUSED]
    assert len(refused) == 20
    assert all(turn.words.startswith(WORDS[turn.code]) for turn in refused if turn.code is not None)
    # Each that switched was read back, is in the audit log, and went down once under the order's approvals.
    switched = [c for c in field.sent if c.command_class is CommandClass.SWITCH]
    assert Counter(c.title for c in switched) == Counter(field.titles[20:])
    assert {(c.effect, c.order_id, len(c.approvals)) for c in switched} == {
        (CommandEffect.DISCONNECT, order.subject.order_id, 2)
    }
    assert {e.subjects[0] for e in field.audit.entries} == {i.service_point_id for i in items[20:]}
    assert len(field.log.ends) == 200
    # Spread: no hour has more than the pace, and the gateway had nothing to say.
    ends_s = sorted(turn.ended_at_s or 0.0 for turn in turns if turn.code is ItemCode.SWITCHED)
    assert max(sum(at <= other < at + 3_600 for other in ends_s) for at in ends_s) <= PACE_PER_H + 3
    assert field.words == []
    # What is medical is nowhere but in the customer room.
    said = " ".join([*(t.words for t in turns), *(str(e) for e in field.audit.entries), *map(str, field.words)])
    assert "medical" not in said


@pytest.mark.attack("A16")
async def test_a_list_changed_by_one_meter_is_refused_whole() -> None:
    field = Field(20, MORNING)
    order = field.list_of(NON_PAYMENT, field.items(*range(19)))
    listed = field.book.listed[order.subject.order_id]
    listed[0] = field.items(19)[0].encode()
    await field.run(HOUR)
    assert field.codes(order) == {ItemCode.LIST_CHANGED: 19}
    assert all(field.is_on(title) for title in field.titles)
    assert not [c for c in field.sent if c.command_class is CommandClass.SWITCH]


@pytest.mark.attack("A16")
async def test_a_headend_that_hides_the_change_gets_nothing_sealed() -> None:
    """Adopted while it was whole, changed afterwards: the command process looks at the list itself."""
    field = Field(20, MORNING)
    order = field.list_of(NON_PAYMENT, field.items(*range(19)))
    await field.run(MINUTE / 60, step_s=1.0)
    assert len(field.turns.of(order.subject.order_id)) == 19
    field.approvals.items.forget()
    field.book.listed[order.subject.order_id].append(field.items(19)[0].encode())
    await field.run(2 * HOUR)
    assert field.codes(order)[ItemCode.SWITCHED] == 0
    assert all(field.is_on(title) for title in field.titles)


@pytest.mark.parametrize("by", ["list", "person"])
async def test_a_payment_reconnects_within_five_minutes(by: str) -> None:
    field = Field(1, MORNING)
    cut = field.list_of(NON_PAYMENT, field.items())
    await field.run(10 * MINUTE)
    assert field.one(cut).code is ItemCode.SWITCHED
    assert not field.is_on(field.titles[0])
    paid(field, field.items()[0])
    if by == "list":
        close = field.list_of(PAID, field.items(), people=())
    else:
        close = field.book.make(PAID, field.items(), now=field.now, people=(BEN,))
    asked_at = field.now
    await field.run(5 * MINUTE, step_s=1.0)
    turn = field.one(close)
    assert turn.code is ItemCode.SWITCHED
    assert field.is_on(field.titles[0])
    assert turn.took_s is not None
    assert 0 < turn.took_s <= 300
    assert turn.ended_at_s is not None
    assert turn.ended_at_s - asked_at.timestamp() <= 300


async def test_sixty_payments_at_once_are_not_held_by_a_count() -> None:
    field = Field(60, MORNING, thresholds=OF_A_WORKING_DAY)
    for title in field.titles:
        field.devices[title].state.switch.state = type(field.devices[title].state.switch.state)(0)
    close = field.list_of(PAID, field.items(), people=())
    await field.run(3 * HOUR, step_s=20.0)
    assert field.codes(close) == {ItemCode.SWITCHED: 60}


@pytest.mark.attack("A16")
async def test_a_safety_disconnection_of_a_medical_home_needs_two_people_and_calls_them() -> None:
    field = Field(1, MORNING)
    (item,) = field.items()
    held_medical(field, item)
    order = field.book.make(SAFETY, [item], now=field.now, people=(ANNA,))
    await field.run(10 * MINUTE)
    assert field.is_on(item.title)
    assert field.alerts.alerts == {}
    field.book.approve(order, ANNA, now=field.now)
    await field.run(10 * MINUTE)
    assert field.is_on(item.title)
    approved_at = field.now
    field.book.approve(field.book.orders[order.subject.order_id], BEN, now=field.now)
    await field.run(MINUTE, step_s=1.0)
    assert not field.is_on(item.title)
    (alert,) = field.alerts.alerts.values()
    assert alert.rule == AlertRule.SAFETY_PASSED_BLOCK
    assert (alert.at - approved_at).total_seconds() <= 60
    assert "medical" not in alert.words
    assert [(e.query, e.reason) for e in field.audit.entries] == [("switch.disconnect", "safety")]


async def test_voltage_behind_an_open_switch_stops_a_reconnection() -> None:
    field = Field(1, MORNING)
    (item,) = field.items()
    field.list_of(NON_PAYMENT, [item])
    await field.run(10 * MINUTE)
    field.devices[item.title].tamper(Tampering(fed_back_dv=1_200))
    close = field.book.make(PAID, [item], now=field.now, people=(BEN,))
    await field.run(MINUTE, step_s=1.0)
    assert field.one(close).code is ItemCode.LOAD_VOLTAGE
    assert "120 V" in field.one(close).words
    assert not field.is_on(item.title)


async def test_an_answer_that_was_lost_is_read_back_and_nothing_is_switched_twice() -> None:
    field = Field(1, MORNING)
    (item,) = field.items()
    # Two to associate, one read, and of the command the answer never comes.
    field.deaf_after[item.title] = 4
    order = field.list_of(NON_PAYMENT, [item])
    await field.run(3 * MINUTE)
    assert field.one(order).was_sent
    assert field.one(order).code is None
    field.deaf_after.clear()
    await field.run(HOUR)
    assert field.one(order).code is ItemCode.SWITCHED
    assert len([c for c in field.sent if c.command_class is CommandClass.SWITCH]) == 1


@pytest.mark.attack("A14")
async def test_over_the_gateways_thresholds_the_rest_waits_until_its_window_is_over() -> None:
    field = Field(30, MORNING, thresholds=BUILT_IN)
    order = field.list_of(NON_PAYMENT, field.items())
    await field.run(50 * MINUTE)
    assert (
        sum(not field.is_on(title) for title in field.titles)
        == BUILT_IN.effects[CommandEffect.DISCONNECT].requester_hour
    )
    await field.run(8 * HOUR)
    codes = field.codes(order)
    assert codes[ItemCode.SWITCHED] + codes[ItemCode.THRESHOLD] == 30
    assert field.words


async def test_a_meter_with_its_makers_keys_is_not_switched() -> None:
    field = Field(2, MORNING, generation=1)
    order = field.book.make(SAFETY, field.items(), now=field.now)
    await field.run(HOUR)
    assert field.codes(order) == {ItemCode.LOW_SECURITY: 2}
    assert not field.sent


async def test_a_limit_is_set_read_back_and_ended() -> None:
    field = Field(1, MORNING)
    (item,) = field.items()
    for watts in (5_000, 1_000_000):
        subject = SwitchSubject(SwitchAction.LIMIT, SwitchReason.CUSTOMER_REQUEST, watts)
        order = field.book.make(subject, [item], now=field.now)
        await field.run(MINUTE, step_s=5.0)
        assert field.one(order).code is ItemCode.SWITCHED
        assert field.devices[item.title].state.limiter.threshold_w == watts


async def test_a_withdrawn_order_ends_the_meters_whose_turn_had_not_come() -> None:
    from dataclasses import replace

    field = Field(20, MORNING)
    order = field.list_of(NON_PAYMENT, field.items())
    await field.run(10 * MINUTE)
    done = field.codes(order)[ItemCode.SWITCHED]
    assert 0 < done < 20
    withdrawn = replace(field.book.orders[order.subject.order_id], withdrawn_at=field.now)
    field.book.orders[order.subject.order_id] = withdrawn
    await field.run(2 * HOUR)
    assert field.codes(order) == {ItemCode.SWITCHED: done, ItemCode.WITHDRAWN: 20 - done}


@pytest.mark.parametrize("dies_at", range(1, 9))
async def test_an_owner_killed_at_any_question_leaves_no_meter_switched_twice(dies_at: int) -> None:
    field = Field(1, MORNING)
    (item,) = field.items()
    order = field.list_of(NON_PAYMENT, [item])
    field.dies_after = dies_at
    await field.run(3 * MINUTE, step_s=1.0)
    field.dies_after = 1_000_000
    field.new_owner()
    await field.run(HOUR)
    assert field.one(order).code in {ItemCode.SWITCHED, ItemCode.ALREADY}
    assert not field.is_on(item.title)
    sent = [c for c in field.sent if c.command_class is CommandClass.SWITCH]
    assert len(sent) == 1


@pytest.mark.attack("A14")
async def test_what_the_gateway_keeps_is_carried_out_once_two_people_release_it() -> None:
    field = Field(14, MORNING, thresholds=BUILT_IN)
    order = field.list_of(NON_PAYMENT, field.items())
    await field.run(HOUR / 2)
    kept = list(field.desk.guard.held)
    assert len(kept) + field.codes(order)[ItemCode.SWITCHED] == 14
    assert kept
    field.desk.guard.release({one.held_id for one in kept})
    await field.run(HOUR / 2)
    assert field.codes(order) == {ItemCode.SWITCHED: 14}
