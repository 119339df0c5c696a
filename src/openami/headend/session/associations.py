"""Associations of one lease group that rest between requests: which meters are told that we are done with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from openami.headend.session.session import Sessions
from openami.headend.session.titles import GroupTitles
from openami.kernel.ids import SystemTitle

MAX_RELEASES = 50
"""Releases of one group at once."""
LEAVE_S = 2.0
"""For all releases of a group that is given back: its lease must not run out over them."""


class RestingAssociations:
    """Releases what nobody uses any more.

    Args:
        sessions: speaks to meters, those of other groups too.
        titles: the meters of the group.
        may_spend: tells whether its cell bears the question to a meter now, and counts it.
    """

    def __init__(self, sessions: Sessions, titles: GroupTitles, may_spend: Callable[[SystemTitle], bool]) -> None:
        self._sessions, self._titles, self._may_spend = sessions, titles, may_spend
        self._tasks: set[asyncio.Task[None]] = set()

    def release(self) -> None:
        """Begin to tell meters that we are done with them, so that they need not wait it out."""
        for title in self._sessions.resting():
            if len(self._tasks) >= MAX_RELEASES:
                return
            if self._titles.is_ours(title) and self._may_spend(title):
                task = asyncio.create_task(self._sessions.release(title))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop telling; nothing is forgotten yet."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def leave(self) -> None:
        """Release what is open while the group is still ours; what is not reached in time is only forgotten.

        The next owner begins with new associations, which take the place of these. After a lost lease this is not to
        be called: what would be released might be the next owner's.
        """
        ours = [title for title in self._sessions.resting(idle_s=0.0) if self._titles.is_ours(title)]
        turns = asyncio.Semaphore(MAX_RELEASES)

        async def release(title: SystemTitle) -> None:
            async with turns:
                await self._sessions.release(title)

        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await asyncio.gather(*(release(title) for title in ours))
        for title in ours:
            self._sessions.forget(title)
