"""``python -m openami.app.process NAME --home HOME``: run one process of the platform."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import signal
import sys
from pathlib import Path

import structlog
import uvloop

from openami.app.settings import Settings, SettingsError

NAMES = ("gateway", "listener", "headend", "command", "store", "worker", "web", "territory", "history")


def configure_log() -> None:
    """Log one JSON line per event to stderr: events and counts, never a reading or a secret."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


async def serve(name: str, settings: Settings) -> None:
    """Run the process until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    module = importlib.import_module(f"openami.app.process.{name}")
    await module.run(settings, stop)


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="openami.app.process")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--home", type=Path, required=True)
    arguments = parser.parse_args()
    configure_log()
    try:
        settings = Settings.load(arguments.home)
    except SettingsError as error:
        structlog.get_logger().error("settings", problem=str(error))
        return 2
    uvloop.run(serve(arguments.name, settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
