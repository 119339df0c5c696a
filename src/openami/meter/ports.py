"""Ports of the virtual meter."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt


class CounterStore(Protocol):
    """Remembers, through any loss of power, up to which invocation counter each meter may go.

    A counter is never used twice with one key: a meter uses a counter only after a ceiling above it is kept here.
    """

    def ceilings(self) -> npt.NDArray[np.int64]:
        """Return the (meters,) ceilings kept last; zeros where nothing was kept."""
        ...

    def keep(self, ceilings: npt.NDArray[np.int64]) -> None:
        """Keep the (meters,) ceilings durably; return only when they would survive a loss of power.

        Raises:
            OSError: they could not be kept; the meter must not send.
        """
        ...
