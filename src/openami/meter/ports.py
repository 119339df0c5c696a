"""Ports of the virtual meter."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.meter.events import EventCode
from openami.meter.objects.profile import Table
from openami.meter.objects.push import PushSetup
from openami.meter.sealing import MeterIdentity
from openami.protocol.association.ports import SecurityIncident


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


class MeterBody(Protocol):
    """What the objects of a meter stand on: what it measures, its clock, and what it does when it is told to.

    All times are what the meter's clock shows, UTC. Every call is answered at once.
    """

    @property
    def zone(self) -> ZoneInfo:
        """Zone of the service point."""
        ...

    def shows(self) -> datetime:
        """Return what the clock shows."""
        ...

    def is_clock_valid(self) -> bool:
        """Tell whether the meter trusts its clock."""
        ...

    def set_clock(self, to: datetime) -> None:
        """Set the clock, log events 4 and 5, and mark the running interval."""
        ...

    def registers_wh(self) -> tuple[int, int]:
        """Return what the registers show: delivered, received [Wh]."""
        ...

    def power_w(self) -> int:
        """Return the power that is measured now [W]; negative is power from the customer."""
        ...

    def voltage_dv(self) -> int:
        """Return the supply voltage [0.1 V]."""
        ...

    def load_voltage_dv(self) -> int:
        """Return the voltage behind the disconnect switch [0.1 V].

        Where it is open, that is what the customer's own sources put there.
        """
        ...

    def profile_status(self) -> int:
        """Return the status octet that the running interval has so far."""
        ...

    def load_profile(self) -> Table:
        """Return the load profile: end, status, delivered [Wh], received [Wh], voltage [0.1 V]."""
        ...

    def daily_profile(self) -> Table:
        """Return the registers at local midnights: clock, delivered [Wh], received [Wh]."""
        ...

    def billing_profile(self) -> Table:
        """Return the registers at the first midnight of each month, as :meth:`daily_profile`."""
        ...

    def identity(self) -> MeterIdentity:
        """Return name and keys."""
        ...

    def replace_identity(self, renewed: MeterIdentity) -> None:
        """Take new keys; what is sealed from now on is sealed with them."""
        ...

    def note(self, code: EventCode) -> None:
        """Write an event down, and push it where it is to be pushed."""
        ...

    def note_incident(self, incident: SecurityIncident) -> None:
        """Write an attack down, and push it where it is to be pushed."""
        ...

    def push_now(self, setup: PushSetup) -> bool:
        """Push what a setup says and return whether there was anything to push it with."""
        ...

    def client_counter(self) -> int:
        """Return the highest invocation counter taken from a client; 0 where none was."""
        ...
