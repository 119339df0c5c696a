"""A process that takes invocation counters until it is killed, each written down before it would be used.

``python -m tests.integration.downlink.counting URL METER FILE KILLS``: forks that many children one after another,
kills each with SIGKILL after a short while, and exits 0.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import create_async_engine

from openami.headend.adapters.counter_epoch import CounterEpoch
from openami.headend.adapters.send_counters import PostgresCounterReserve
from openami.headend.command.counters import SendCounters


async def _take(url: str, meter: UUID, handle: int, epoch_file: Path) -> None:
    engine = create_async_engine(url)
    epoch = CounterEpoch(engine, epoch_file, lambda: int(time.time()))
    await epoch.renew()
    counters = SendCounters(PostgresCounterReserve(engine, epoch))
    while True:
        taken = await counters.take(meter, 1)
        os.write(handle, f"{taken}\n".encode())


def _wait_for_growth(handle: int) -> None:
    before, deadline = os.fstat(handle).st_size, time.monotonic() + 20
    while os.fstat(handle).st_size == before and time.monotonic() < deadline:
        time.sleep(0.001)


def main() -> None:
    url, meter, file, kills = sys.argv[1], UUID(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    dice = random.Random(1)
    for _ in range(kills):
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        child = os.fork()
        if child == 0:
            asyncio.run(_take(url, meter, handle, Path(file).with_name("counter_epoch")))
        if dice.random() < 0.6:
            # At work, however slow the machine is; the others die while they connect, reserve or begin.
            _wait_for_growth(handle)
        os.close(handle)
        time.sleep(dice.uniform(0.0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
