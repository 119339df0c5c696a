"""Wait for several things at once. Where one fails, the others are ended before its own error goes on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Start(Protocol):
    """Begins something beside what was begun before."""

    def __call__(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Return what will have the answer when the block ends."""
        ...


@asynccontextmanager
async def side_by_side() -> AsyncIterator[Start]:
    """Begin things that wait, and wait for all of them at the end of the block.

    Raises:
        Exception: the first error of any, when none of the others runs any more. A task group would wrap it.
    """
    tasks: list[asyncio.Task[Any]] = []

    def start(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        tasks.append(task)
        return task

    try:
        yield start
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
