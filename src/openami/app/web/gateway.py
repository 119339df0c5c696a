"""The gateway's thresholds for the console, over the desk that the command line uses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from openami.app.people.desk import Decided
from openami.app.orders.threshold_desk import InForce, ThresholdDesk
from openami.app.web.two_person import desk_act, order_view, require_seen
from openami.contracts.command import CommandEffect
from openami.contracts.threshold import Thresholds
from openami.contracts.threshold_word import ThresholdRule, ThresholdWord, WordKind
from openami.kernel.clock import Clock
from openami.kernel.time import epoch_s
from openami.portal.ports import RefusedError
from openami.portal.views.gateway import GatewayView, HeldCommandView, ThresholdRowView, ThresholdWordView
from openami.portal.views.two_person import TwoPersonOrderView
from openami.security.access.role import Principal

WORDS_SHOWN = 50
_EFFECTS = {
    CommandEffect.DISCONNECT: "Disconnections",
    CommandEffect.RECONNECT: "Reconnections",
    CommandEffect.LIMIT: "Load limits",
    CommandEffect.OTHER: "Scripts and other changes to supply",
    CommandEffect.NONE: "Commands",
}
_RULES = {
    ThresholdRule.REQUESTER_HOUR: "of one requester in an hour",
    ThresholdRule.UTILITY_HOUR: "of all requesters in an hour",
    ThresholdRule.UTILITY_DAY: "of all requesters in a day",
    ThresholdRule.METER_DAY: "of one meter in a day",
    ThresholdRule.FEEDER_METERS: "on one feeder in a quarter of an hour",
    ThresholdRule.FEEDER_LOAD: "W taken off one feeder in a quarter of an hour",
    ThresholdRule.FEEDER_RAMP: "W put on one feeder in five minutes",
    ThresholdRule.CLOCK: "s by which a clock would be off",
    ThresholdRule.LIMIT: "as a load limit",
}


@dataclass(frozen=True, slots=True)
class GatewayPages:
    """Implements :class:`~openami.portal.console_ports.GatewayDesk`.

    Args:
        desk: acts of people on thresholds.
        real: the host's clock.
    """

    desk: ThresholdDesk
    real: Clock

    @desk_act
    async def gateway(self, principal: Principal) -> GatewayView:
        """Return thresholds, kept commands, orders and words."""
        in_force = await self.desk.in_force()
        now = self.real.now()
        return GatewayView(
            as_of=epoch_s(now),
            version=in_force.version,
            document=_document(in_force),
            thresholds=list(_rows(in_force.thresholds)) if in_force.thresholds else [],
            held=[_held(word) for word in await self.desk.held()],
            orders=[order_view(order, principal, now=now) for order in await self.desk.orders()],
            words=[_word(word) for word in await self.desk.words(limit=WORDS_SHOWN)],
        )

    @desk_act
    async def release(self, principal: Principal, held_ids: Sequence[UUID], *, reason: str) -> TwoPersonOrderView:
        """Order that kept commands may pass."""
        order = await self.desk.release(Decided(principal), held_ids, reason=reason)
        return order_view(order, principal, now=self.real.now())

    @desk_act
    async def propose(self, principal: Principal, document: str, *, reason: str) -> TwoPersonOrderView:
        """Order other thresholds."""
        order = await self.desk.propose(Decided(principal), document.encode(), reason=reason)
        return order_view(order, principal, now=self.real.now())

    @desk_act
    async def approve(self, principal: Principal, order_id: UUID, *, digest: str) -> TwoPersonOrderView:
        """Approve an order as it was seen: it never changes, so what is compared is what is approved."""
        seen = next((o for o in await self.desk.orders() if o.subject.order_id == order_id), None)
        if seen is None:
            raise RefusedError("there is no such order of thresholds or releases")
        require_seen(seen, digest)
        order = await self.desk.approve(Decided(principal), order_id)
        return order_view(order, principal, now=self.real.now())

    @desk_act
    async def withdraw(self, principal: Principal, order_id: UUID) -> None:
        """Let an order do nothing any more."""
        await self.desk.withdraw(Decided(principal), order_id)


def _document(in_force: InForce) -> str | None:
    return json.dumps(json.loads(in_force.thresholds.encode()), indent=2) if in_force.thresholds else None


def _rows(t: Thresholds) -> Iterator[ThresholdRowView]:
    for effect, limits in t.effects.items():
        name = _EFFECTS[effect]
        yield _row(f"{name} of one requester in any hour", limits.requester_hour)
        yield _row(f"{name} of all requesters in any hour", limits.utility_hour)
        yield _row(f"{name} of all requesters in any day", limits.utility_day)
    yield _row("Switchings of one meter in any day; reconnections are counted and never refused", t.meter_day)
    yield _row("Meters of one feeder in any quarter of an hour", t.feeder_meters)
    yield _row("Load taken off one feeder in any quarter of an hour", t.feeder_load_w, "W")
    yield _row("Load put on one feeder in any five minutes", t.ramp_w, "W")
    yield _row("Load of a command that names none", t.assumed_load_w, "W")
    yield _row("Feeders with a size of their own", len(t.feeders))
    yield _row("People are warned at this share of a threshold", t.warn_percent, "%")
    yield _row("A clock may be set by one person by up to", t.clock_free_s, "s")
    yield _row("A clock may be set at all by up to", t.clock_most_s, "s")
    yield _row("Least load limit", t.limit_least, "W")


def _row(words: str, value: int, unit: str = "") -> ThresholdRowView:
    return ThresholdRowView(words=words, value=f"{value:,} {unit}".rstrip())


def _held(word: ThresholdWord) -> HeldCommandView:
    return HeldCommandView(
        held_id=word.held_id or UUID(int=0),
        at=word.at_ms // 1000,
        gateway_id=word.gateway_id,
        system_title=str(word.title) if word.title else "",
        words=_sentence(word),
        order_id=word.order_id,
        load_w=word.load_w,
    )


def _word(word: ThresholdWord) -> ThresholdWordView:
    kinds = {
        WordKind.WARNED: "Near a threshold",
        WordKind.HELD: "Kept aside",
        WordKind.REFUSED: "Turned away",
        WordKind.RELEASED: "Passed after its release",
        WordKind.RENEWED: f"Thresholds of version {word.version} hold from now on",
        WordKind.BLIND: "It cannot write down what passes: nothing is switched",
    }
    said = kinds[word.kind]
    return ThresholdWordView(
        at=word.at_ms // 1000,
        gateway_id=word.gateway_id,
        kind=word.kind.value,
        words=f"{said}." if word.rule is None else f"{said}: {_sentence(word)}",
    )


def _sentence(word: ThresholdWord) -> str:
    if word.rule is None:
        return f"{_EFFECTS[word.effect]}."
    return f"{_EFFECTS[word.effect]}: {word.reached:,} {_RULES[word.rule]}, {word.limit:,} may be."
