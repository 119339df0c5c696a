"""What the territory's meters remember, on disk: profiles as mapped files, single states and new keys as documents.

Profiles are mapped, so a kill loses nothing that was written to them. States are kept with the standing and when a
client changed one; a kill may lose the events of the last quarter-hours, never an order that was answered. All lie in
``<home>/territory`` and belong to the demonstration alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from openami.app.territory.territory_files import TerritoryFilesError
from openami.kernel.errors import OpenAmiError
from openami.meter.fleet_memory import FleetMemory, FleetRings
from openami.meter.kept import restore_state, state_document
from openami.meter.residential_profiles import BILLING_ROWS, DAILY_ROWS, PROFILE_ROWS
from openami.meter.ring import INTERVAL_ROW, REGISTER_ROW, Ring
from openami.meter.sealing import MeterIdentity
from openami.security.closed_file import write_closed
from openami.sim.past import PastCursor

_KEYS = ("encryption_key", "authentication_key", "master_key")


@dataclass(frozen=True, slots=True)
class TerritoryMemory:
    """The folder's part that meters remember in.

    Args:
        folder: ``<home>/territory``.
        meters: how many meters there are.
    """

    folder: Path
    meters: int

    def rings(self) -> FleetRings:
        """Return the profiles, mapped; empty ones where there are none.

        Raises:
            TerritoryFilesError: a file is not for this many meters.
        """
        return FleetRings(
            self._ring("intervals", INTERVAL_ROW, PROFILE_ROWS),
            self._ring("daily", REGISTER_ROW, DAILY_ROWS),
            self._ring("billing", REGISTER_ROW, BILLING_ROWS),
        )

    def restore(self, memory: FleetMemory, identities: Sequence[MeterIdentity]) -> None:
        """Bring back the states that were kept.

        Args:
            memory: fresh.
            identities: the meters' keys in use, see :meth:`identities`.

        Raises:
            TerritoryFilesError: one cannot be read.
        """
        for place in sorted((self.folder / "states").glob("*.json")):
            try:
                restore_state(memory.state(int(place.stem)), json.loads(place.read_text()))
            except (OSError, ValueError, OpenAmiError) as error:
                raise TerritoryFilesError(f"{place} cannot be read: {type(error).__name__}") from None
        for meter, identity in enumerate(identities):
            if identity.keys_taken:
                memory.state(meter).take_keys(identity)

    def keep_unsaved(self, memory: FleetMemory) -> None:
        """Keep the states that changed since the last call."""
        unsaved, memory.unsaved = memory.unsaved, set()
        for meter in unsaved:
            document = json.dumps(state_document(memory.state(meter)))
            _replace(self.folder / "states" / f"{meter}.json", document.encode())

    def identities(self, made: list[MeterIdentity]) -> list[MeterIdentity]:
        """Return names and keys: those of the factory, and over them those that meters took since.

        Raises:
            TerritoryFilesError: a file cannot be read.
        """
        now = list(made)
        for place in (self.folder / "keys").glob("*.json"):
            try:
                row = json.loads(place.read_text())
                encryption, authentication, master = (bytes.fromhex(row[name]) for name in _KEYS)
                # Files of earlier releases have no counts: those meters counted on under their new keys.
                now[int(place.stem)] = MeterIdentity(
                    made[int(place.stem)].title,
                    encryption,
                    authentication,
                    master,
                    counted_from=int(row.get("counted_from", 0)),
                    keys_taken=int(row.get("keys_taken", 0)),
                    broadcast_key=bytes.fromhex(row["broadcast_key"]) if row.get("broadcast_key") else None,
                )
            except (OSError, ValueError, KeyError, TypeError, IndexError, OpenAmiError) as error:
                raise TerritoryFilesError(f"{place} cannot be read: {type(error).__name__}") from None
        return now

    def keep_keys(self, meter: int, identity: MeterIdentity) -> None:
        """Keep new keys of a meter, durably: it uses them from the next message on."""
        row = {
            "encryption_key": identity.encryption_key.hex(),
            "authentication_key": identity.authentication_key.hex(),
            "master_key": (identity.master_key or b"").hex(),
            "counted_from": identity.counted_from,
            "keys_taken": identity.keys_taken,
            "broadcast_key": (identity.broadcast_key or b"").hex(),
        }
        write_closed(self.folder / "keys" / f"{meter}.json", json.dumps(row).encode())

    def past(self) -> PastCursor | None:
        """Return how far back the profiles were filled; None where nobody began."""
        place = self.folder / "past.npz"
        if not place.exists():
            return None
        try:
            with np.load(BytesIO(place.read_bytes()), allow_pickle=False) as kept:
                return PastCursor(int(kept["at_s"]), kept["delivered"], kept["received"])
        except (OSError, ValueError, KeyError) as error:
            raise TerritoryFilesError(f"{place} cannot be read: {type(error).__name__}") from None

    def keep_past(self, cursor: PastCursor) -> None:
        """Keep how far back the profiles were filled."""
        octets = BytesIO()
        np.savez(octets, at_s=cursor.at_s, delivered=cursor.delivered_mj, received=cursor.received_mj)
        _replace(self.folder / "past.npz", octets.getvalue())

    def _ring(self, name: str, row: np.dtype[np.void], places: int) -> Ring:
        folder = self.folder / "profiles"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        at_s = np.memmap(_sized(folder / f"{name}.at", places * 8), dtype="<i8", mode="r+", shape=(places,))
        size = places * self.meters * row.itemsize
        rows = np.memmap(_sized(folder / f"{name}.rows", size), dtype=row, mode="r+", shape=(places, self.meters))
        return Ring(at_s, rows)


def _sized(place: Path, octets: int) -> Path:
    """Return a file of this size, mode 0600, made of zeros where it was not there; a sparse one takes no room yet."""
    handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        if size == 0:
            os.truncate(handle, octets)
        elif size != octets:
            raise TerritoryFilesError(f"{place} has {size} octets where the territory's meters need {octets}")
    finally:
        os.close(handle)
    return place


def _replace(place: Path, octets: bytes) -> None:
    """Replace a file whole, mode 0600. It survives a kill; a loss of the machine's power may cost it."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place.with_name(place.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(octets)
    draft.replace(place)
