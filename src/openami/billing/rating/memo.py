"""What depends on rate and calendar alone, kept between bills: the same for every service point of a rate.

A value is kept for the very schedule object it was made from, never for an equal one, and is handed out to all, so
nobody may alter it: arrays are closed for writing. Both lists are bounded and the oldest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from openami.billing.tariff.model import RateSchedule

T = TypeVar("T")


class Memo(Generic[T]):
    """A bounded memory of values by schedule and key; of the same key the value made last stays.

    Args:
        most: how many values are kept, 1 or more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[int, Hashable], tuple[RateSchedule, T]] = OrderedDict()
        self._lock = Lock()

    def of(
        self, schedule: RateSchedule, key: Hashable, make: Callable[[], T], *, holds: Callable[[T], bool] | None = None
    ) -> T:
        """Return the kept value, or make and keep it.

        Args:
            schedule: whose; the same object.
            key: everything else that the value depends on.
            make: makes it; what it raises is raised, and nothing is kept.
            holds: a last check of what a key cannot say; where it fails the value is made anew.
        """
        place = id(schedule), key
        with self._lock:
            found = self._kept.get(place)
            if found is not None:
                self._kept.move_to_end(place)
        if found is not None and (holds is None or holds(found[1])):
            return found[1]
        value = make()
        with self._lock:
            # The schedule is held beside its value, so that its id is nobody else's while the value is kept.
            self._kept[place] = schedule, value
            self._kept.move_to_end(place)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return value
