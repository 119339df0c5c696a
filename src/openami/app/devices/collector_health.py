"""What a collector of ours says of its own health: real time, its certificate, and where it was put up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from openami.app.settings import real_now
from openami.contracts.health import HealthReport
from openami.security.pki import PkiError, certificate_days_left


@dataclass(slots=True, eq=False)
class Housing:
    """The box that a collector stands in. Whoever changes it says so with :attr:`on_change`.

    Args:
        certificate: its certificate's file.
        latitude_e7, longitude_e7: where it stands, 1e-7 degree; both 0 for a collector that does not know.
        cell: the mobile network's cell that carries it; 0 for none.
        is_open: whether its door is open.
        is_on_backup_supply: whether the mains are away.
        on_change: called after a change of the box.
    """

    certificate: Path
    latitude_e7: int = 0
    longitude_e7: int = 0
    cell: int = 0
    is_open: bool = False
    is_on_backup_supply: bool = False
    on_change: Callable[[], None] = lambda: None
    _began_s: float = field(default_factory=time.monotonic)

    def report(self, spool_frames: int) -> HealthReport:
        """Return a report, given how many frames wait on disk."""
        now = real_now()
        try:
            days = certificate_days_left(self.certificate, now=now)
        except PkiError:
            # Its file was taken away: what it holds in memory ends with the next connection.
            days = 0
        return HealthReport(
            uptime_s=int(time.monotonic() - self._began_s),
            is_enclosure_open=self.is_open,
            is_on_backup_supply=self.is_on_backup_supply,
            latitude_e7=self.latitude_e7,
            longitude_e7=self.longitude_e7,
            cell=self.cell,
            certificate_days_left=days,
            spool_frames=spool_frames,
            clock_ms=int(now.timestamp() * 1000),
        )

    def open_door(self, *, is_open: bool) -> None:
        """Open or close the door."""
        self.is_open = is_open
        self.on_change()
