"""What meters said of their columns, as the decoder asks for it: thousands of pushes at a time.

Meters of one model say the same, so what they say is kept once and each meter has its number. Asked is only what
changes a stored value: an object that has a channel and is worth something else than the meter's profile file says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from openami.contracts.reading import I64, UUIDS
from openami.headend.profiles.columns import ColumnSheet
from openami.headend.profiles.model import Scale
from openami.headend.profiles.registry import UnknownProfileError, profile_of
from openami.headend.profiles.rows import interval_channel
from openami.kernel.obis import Obis

Scales = Mapping[Obis, Scale]
_ID = "S16"


class SaidScales:
    """Scales by meter, filled by a feed. Some 40 octets a meter beside what is said once."""

    def __init__(self) -> None:
        self._said: list[Scales] = []
        self._number_of: dict[frozenset[tuple[Obis, Scale]], int] = {}
        self._meters: npt.NDArray[np.bytes_] = np.zeros(0, _ID)
        self._numbers: I64 = np.zeros(0, np.int64)
        self._changes: dict[tuple[str, int], Scales] = {}

    def __len__(self) -> int:
        """Return of how many meters something is known."""
        return len(self._meters)

    def merge(self, sheets: Iterable[ColumnSheet]) -> None:
        """Take sheets in the order in which they were kept; a later one of a meter wins over an earlier one."""
        numbers = dict(zip(self._meters.tolist(), self._numbers.tolist(), strict=True))
        for sheet in sheets:
            # As numpy gives it back: without the zeros at its end.
            meter = sheet.meter_id.bytes.rstrip(b"\0")
            said = {c.captured.instance: c.scale for c in sheet.columns if c.scale is not None}
            if said:
                before = self._said[numbers[meter]] if meter in numbers else {}
                numbers[meter] = self._number({**before, **said})
        meters = np.array(list(numbers), _ID)
        order = np.argsort(meters)
        self._meters = meters[order]
        self._numbers = np.fromiter(numbers.values(), np.int64, len(numbers))[order]

    def changes(self, meter_id: UUIDS, dialects: Sequence[tuple[tuple[str, str], I64]]) -> dict[int, Scales]:
        """Return the scales that change stored values, by place; places that nothing changes are left out.

        Args:
            meter_id: (n,) V16, of each push.
            dialects: ((profile, zone), places) for each that occurs.
        """
        if not len(self._meters):
            return {}
        asked = np.ascontiguousarray(meter_id).view(_ID)
        at = np.minimum(np.searchsorted(self._meters, asked), len(self._meters) - 1)
        number = np.where(self._meters[at] == asked, self._numbers[at], -1)
        found: dict[int, Scales] = {}
        for (profile, _), places in dialects:
            here = number[places]
            for one in np.unique(here[here >= 0]).tolist():
                scales = self._change(profile, one)
                if scales:
                    found.update(dict.fromkeys(places[here == one].tolist(), scales))
        return found

    def _number(self, said: dict[Obis, Scale]) -> int:
        number = self._number_of.setdefault(frozenset(said.items()), len(self._said))
        if number == len(self._said):
            self._said.append(said)
        return number

    def _change(self, profile: str, number: int) -> Scales:
        known = self._changes.get((profile, number))
        if known is None:
            known = self._changes[profile, number] = _change(profile, self._said[number])
        return known


def _change(name: str, said: Scales) -> Scales:
    try:
        profile = profile_of(name)
    except UnknownProfileError:
        return {}
    return {
        obis: scale
        for obis, scale in said.items()
        if scale != profile.scale_of(obis) and (profile.register_channel(obis) or interval_channel(obis, profile))
    }
