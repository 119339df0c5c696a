"""Tasks that stand or fall together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def all_of(tasks: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run tasks together; the first error calls the others off and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task)
    except BaseExceptionGroup as error:
        raise _first(error) from None


def _first(error: BaseException) -> BaseException:
    """Return the first error of a group: the others are of tasks that stood in the same trouble or were called off."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
