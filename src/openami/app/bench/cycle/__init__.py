"""A month of billing cycles on the real engines, judged against a world whose truth is known."""

from openami.app.bench.cycle.running import run

__all__ = ["run"]
