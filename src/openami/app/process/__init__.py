"""Entry points, one module per process. Each has ``async def run(settings, stop)``.

``run`` serves until ``stop`` is set, drains, and returns. It calls :func:`ready` once it can serve.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

READY_FILE = "OPENAMI_READY_FILE"


def ready() -> None:
    """Tell the supervisor that this process serves now. Without a supervisor it does nothing."""
    place = os.environ.get(READY_FILE)
    if place:
        Path(place).write_text(str(os.getpid()))


def take_all_descriptors() -> int:
    """Let this process, and those that it starts, open as many files as the system allows it; return how many.

    The usual soft limit of 1,024 would end a gateway at a thousand collectors.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
