"""Which meters a lease group has keys for, and how each is spoken to: looked up in the key table, no key read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.headend.listening.progress import rows_of_partitions
from openami.headend.profiles import MeterProfile, UnknownProfileError, profile_of
from openami.headend.session.pulled import answers_pulls
from openami.headend.session.session import MANAGEMENT
from openami.kernel.ids import SystemTitle
from openami.security.keys.context import KeyState
from openami.security.keys.table import STATES, KeyTable

TITLES = npt.NDArray[np.uint64]
_ACTIVE, _NEW = STATES.index(KeyState.ACTIVE), STATES.index(KeyState.NEW)


@dataclass(frozen=True, slots=True)
class GroupTitles:
    """The meters of some partitions.

    Args:
        table: key pairs of the installation.
        partitions: those of the group.
    """

    table: KeyTable
    partitions: frozenset[int]

    def are_ours(self, titles: TITLES) -> npt.NDArray[np.bool_]:
        """Tell which titles, (n,) as big-endian numbers, belong to the group."""
        return np.isin(titles, self.table.title[rows_of_partitions(self.table, self.partitions)])

    def is_ours(self, title: SystemTitle) -> bool:
        """Tell whether a meter belongs to the group."""
        place, count = self.table.candidates(title_column(title))
        return bool(count[0]) and int(self.table.partition[self.table.row_at(place)][0]) in self.partitions

    def profile_of(self, title: SystemTitle) -> MeterProfile | None:
        """Return the profile of a meter, None where it has no keys.

        Raises:
            UnknownProfileError: its profile is none of ours.
        """
        place, count = self.table.candidates(title_column(title))
        if not count[0]:
            return None
        (((name, _), _),) = self.table.dialects(self.table.row_at(place))
        return profile_of(name)

    def management_of(self, title: SystemTitle) -> int | None:
        """Return the address of a meter's management client, None where it has no keys."""
        profile = self.profile_of(title)
        return profile.clients.get("management", MANAGEMENT) if profile is not None else None


def new_keys_of(table: KeyTable, title: SystemTitle) -> int:
    """Return the generation of keys that a meter may have taken and has not proved yet; 0 for none."""
    place, count = table.candidates(title_column(title))
    rows = table.row_at(np.arange(place[0], place[0] + count[0]))
    waiting = table.generation[rows[table.state[rows] == _NEW]]
    return int(waiting[0]) if len(waiting) else 0


def in_use(table: KeyTable, title: SystemTitle) -> int:
    """Return the generation of the keys in use of a meter; 0 for none."""
    place, count = table.candidates(title_column(title))
    rows = table.row_at(np.arange(place[0], place[0] + count[0]))
    active = table.generation[rows[table.state[rows] == _ACTIVE]]
    return int(active[0]) if len(active) else 0


def title_column(title: SystemTitle) -> TITLES:
    """Return a title as a column of one."""
    return np.array([int.from_bytes(title.octets, "big")], np.uint64)


def can_ask(name: str) -> bool:
    """Tell whether meters of a profile answer what they are asked."""
    try:
        return answers_pulls(profile_of(name))
    except UnknownProfileError:
        return False
