"""The files of the territory: its plan, its meters' book, their counters and where their registers stand.

All lie in ``<home>/territory`` and belong to the demonstration alone: nothing else of the platform reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openami.kernel.errors import OpenAmiError
from openami.meter.registers import DEFAULT_CAPACITY_WH, RegisterBank
from openami.security.closed_file import make_closed_once, write_closed
from openami.sim.factory import FactoryMeter, parse_book
from openami.sim.maker import Maker, make_maker
from openami.sim.plan import DemoPlan, parse_plan

I64 = npt.NDArray[np.int64]


class TerritoryFilesError(OpenAmiError):
    """The territory's folder lacks a file or holds one that cannot be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Where the meters' registers stand.

    Args:
        at_s: end of the last quarter-hour measured, seconds since the epoch.
        delivered_mj, received_mj: (m,) totals then [mJ].
        back_at_s: midnight up to which the held-back meters have sent their past.
        back_delivered_mj, back_received_mj: (m,) totals at that midnight [mJ].
    """

    at_s: int
    delivered_mj: I64
    received_mj: I64
    back_at_s: int
    back_delivered_mj: I64
    back_received_mj: I64


@dataclass(frozen=True, slots=True)
class TerritoryFiles:
    """The folder.

    Args:
        folder: ``<home>/territory``.
    """

    folder: Path

    @property
    def is_made(self) -> bool:
        """Whether a territory was made and its past worked out."""
        return self._standing.exists()

    @property
    def has_plan(self) -> bool:
        """Whether a plan was written."""
        return (self.folder / "plan.json").exists()

    @property
    def _standing(self) -> Path:
        return self.folder / "standing.npz"

    def spool(self, collector_id: int) -> Path:
        """Return the spool folder of a collector."""
        return self.folder / "spool" / str(collector_id)

    def plan(self) -> DemoPlan:
        """Return the plan.

        Raises:
            TerritoryFilesError: it is not there.
            PlanError: it cannot be read.
        """
        return parse_plan(self._text("plan.json"))

    def book(self) -> list[FactoryMeter]:
        """Return the meters with their keys.

        Raises:
            TerritoryFilesError: the book is not there.
            FactoryFileError: it cannot be read.
        """
        return parse_book(self.book_text())

    def book_text(self) -> str:
        """Return the book of meters as it stands, for their shipment. Raises as :meth:`book`."""
        return self._text("meters.json")

    def maker(self, secret: Callable[[int], bytes]) -> Maker:
        """Return the maker that signs these meters' firmware and shipments; it is made once.

        Args:
            secret: returns that many octets nobody can guess.
        """
        place = self.folder / "maker.key"
        make_closed_once(place, lambda: make_maker(secret).signing_key)
        return Maker(place.read_bytes())

    def write_plan(self, plan: DemoPlan, *, book: str) -> None:
        """Write book and plan; the plan comes last, so that a plan on disk means a whole territory."""
        write_closed(self.folder / "meters.json", book.encode())
        write_closed(self.folder / "plan.json", plan.to_json().encode())

    def standing(self) -> Standing:
        """Return where the registers stand.

        Raises:
            TerritoryFilesError: it is not known.
        """
        try:
            with np.load(BytesIO(self._standing.read_bytes()), allow_pickle=False) as kept:
                return Standing(
                    int(kept["at_s"]), kept["delivered"], kept["received"],
                    int(kept["back_at_s"]), kept["back_delivered"], kept["back_received"],
                )  # fmt: skip
        except (OSError, ValueError, KeyError) as error:
            raise TerritoryFilesError(f"{self._standing} cannot be read: {type(error).__name__}") from None

    def write_standing(self, standing: Standing) -> None:
        """Keep where the registers stand, durably."""
        octets = BytesIO()
        np.savez(
            octets, at_s=standing.at_s, delivered=standing.delivered_mj, received=standing.received_mj,
            back_at_s=standing.back_at_s, back_delivered=standing.back_delivered_mj,
            back_received=standing.back_received_mj,
        )  # fmt: skip
        write_closed(self._standing, octets.getvalue())

    def counters(self, meters: int) -> FileCounterStore:
        """Return the store of invocation counters."""
        return FileCounterStore(self.folder / "ceilings", meters)

    def _text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text()
        except OSError as error:
            raise TerritoryFilesError(f"{self.folder / name} cannot be read: {error.strerror}") from None


def bank_of(delivered_mj: I64, received_mj: I64) -> RegisterBank:
    """Return registers that stand at these totals."""
    capacity = np.full(len(delivered_mj), DEFAULT_CAPACITY_WH, dtype=np.int64)
    return RegisterBank(delivered_mj.copy(), received_mj.copy(), capacity)


class FileCounterStore:
    """Ceilings of invocation counters in one file: little-endian int64 per meter, replaced whole.

    Args:
        place: the file.
        meters: how many meters count.
    """

    def __init__(self, place: Path, meters: int) -> None:
        self._place = place
        self._meters = meters

    def ceilings(self) -> I64:
        """Return what was kept last; zeros where nothing was.

        Raises:
            TerritoryFilesError: the file is not for this many meters. Counters are never guessed.
        """
        if not self._place.exists():
            return np.zeros(self._meters, dtype=np.int64)
        kept = np.frombuffer(self._place.read_bytes(), dtype="<i8")
        if len(kept) != self._meters:
            raise TerritoryFilesError(f"{self._place} holds {len(kept)} counters for {self._meters} meters")
        return kept.astype(np.int64)

    def keep(self, ceilings: I64) -> None:
        """Keep the ceilings; they survive a loss of power when this returns."""
        write_closed(self._place, ceilings.astype("<i8").tobytes())
