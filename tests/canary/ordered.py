"""What two people order during the run: new keys for a few meters, then a disconnection and a reconnection of each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

from tests.zones.site import Site

from openami.app.keys.rekey_desk import RekeyDesk
from openami.app.orders.switch_desk import SwitchDesk
from openami.app.people.desk import Person
from openami.app.settings import real_now
from openami.headend.keeping.rekey import Cause
from openami.headend.switching.life import ItemState
from openami.headend.switching.order import SwitchAction, SwitchReason, SwitchSubject
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period

PATIENCE_S = 300.0
STEPS = (
    SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.MOVE_OUT),
    SwitchSubject(SwitchAction.RECONNECT, SwitchReason.CUSTOMER_REQUEST),
)


async def carried_out(running: Site, titles: Sequence[SystemTitle]) -> Counter[str]:
    """Have new keys given to these meters, and each disconnected and reconnected; return how it all ended."""
    one, other = (Person(**running.people[who]) for who in ("staff", "engineer"))
    ended: Counter[str] = Counter()
    keys, before = RekeyDesk(running.core), await _keys_done(running)
    order = await keys.order_named(one, titles, reason="canary run", days=1)
    await keys.approve(other, order.subject.order_id)

    async def changed() -> bool:
        return await _keys_done(running) - before >= len(titles)

    if not await _until(changed):
        progress = (await keys.standing()).progress
        ended.update({f"keys, {cause.value}: {left}": 1 for cause, left in progress.items()})
    ended["keys changed"] = await _keys_done(running) - before
    desk = SwitchDesk(running.core)
    for subject in STEPS:
        now = real_now()
        switch = await desk.plan(one, subject, titles, Period(now, now + timedelta(hours=1)))
        if subject.people > 1:
            await desk.approve(other, switch.subject.order_id)

        async def done(order_id: UUID = switch.subject.order_id) -> bool:
            _, turns = await desk.one(order_id)
            return len(turns) == len(titles) and {turn.state for turn in turns} <= {ItemState.DONE, ItemState.REFUSED}

        await _until(done)
        _, turns = await desk.one(switch.subject.order_id)
        ended.update(f"{subject.action.value}: {turn.state.value}" for turn in turns)
    return ended


async def _keys_done(running: Site) -> int:
    """Return how many meters have keys that people ordered; factory keys are changed by themselves meanwhile."""
    progress = (await RekeyDesk(running.core).standing()).progress
    return progress[Cause.ORDERED].done if Cause.ORDERED in progress else 0


async def _until(ask: Callable[[], Awaitable[bool]]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not await ask():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.5)
    return True
