"""Entry points, one module per process. Each has ``async def run(settings, stop)``.

``run`` serves until ``stop`` is set, drains, and returns. It calls :func:`ready` once it can serve.
"""

from __future__ import annotations

import os
from pathlib import Path

READY_FILE = "OPENAMI_READY_FILE"


def ready() -> None:
    """Tell the supervisor that this process serves now. Without a supervisor it does nothing."""
    place = os.environ.get(READY_FILE)
    if place:
        Path(place).write_text(str(os.getpid()))
