"""Waiting for several things at once: all answers, or the first error with nothing left running."""

from __future__ import annotations

import asyncio

import pytest

from openami.mdm.beside import side_by_side


async def after(event: asyncio.Event, answer: int) -> int:
    await event.wait()
    return answer


async def test_the_answers_are_there_at_the_end_of_the_block() -> None:
    event = asyncio.Event()

    async def release() -> str:
        event.set()
        return "released"

    async with side_by_side() as start:
        waiting, other = start(after(event, 7)), start(release())
    assert (waiting.result(), other.result()) == (7, "released")


async def failing() -> None:
    raise LookupError("nothing there")


async def test_where_one_fails_its_own_error_comes_and_the_others_have_ended() -> None:
    begun: list[asyncio.Task[int]] = []

    async def both() -> None:
        async with side_by_side() as start:
            begun.append(start(after(asyncio.Event(), 1)))
            _ = start(failing())

    with pytest.raises(LookupError, match="nothing there"):
        await both()
    assert begun[0].cancelled()


async def test_an_error_of_the_block_itself_ends_what_it_began() -> None:
    begun: list[asyncio.Task[int]] = []

    async def broken() -> None:
        async with side_by_side() as start:
            begun.append(start(after(asyncio.Event(), 1)))
            await failing()

    with pytest.raises(LookupError):
        await broken()
    assert begun[0].cancelled()
