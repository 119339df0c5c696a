"""A collector in a process of its own, to be killed: offers frames and prints each batch that is safe.

Usage: ``python -m tests.integration.network.pushing SPOOL PKI PORT FIRST COUNT``; frames are numbered from FIRST; it
pushes COUNT batches of 20 and then drains. Each line of output is the number after a batch that is on disk.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.integration.network.support import BATCH, offered, pki_contexts

from openami.network.collector import Collector


async def push(spool: Path, pki: Path, port: int, first: int, count: int) -> None:
    _, context = pki_contexts(pki)
    collector = Collector(7, spool_folder=spool, host="127.0.0.1", port=port, ssl_context=context, dice=lambda: 0.0)
    stop = asyncio.Event()
    running = asyncio.create_task(collector.run(stop))
    for number in range(first, first + count * BATCH, BATCH):
        await collector.offer(offered(number, BATCH))
        print(number + BATCH, flush=True)  # noqa: T201 - this is how the test hears of it
        await asyncio.sleep(0.002)
    await asyncio.wait_for(collector.drained(), 60)
    stop.set()
    await running


if __name__ == "__main__":
    asyncio.run(push(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6])))
