"""A vault in memory: what the contract of key changes means, and a stand-in where thousands of meters change keys.

What it holds is what is on disk: a test that lets everything else die keeps this object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np

from openami.contracts.reading import uuid_column
from openami.kernel.ids import SystemTitle
from openami.security.keys.context import KeySet, KeyState
from openami.security.keys.ports import KeyStateError, MasterKey
from openami.security.keys.secret import Secret
from openami.security.keys.table import STATES, KeyColumns, title_number


@dataclass(slots=True)
class Held:
    """Keys of one generation: a pair, or a master key alone."""

    keys: tuple[Secret, ...]
    state: KeyState
    revision: int
    changed_at: datetime


@dataclass(slots=True)
class FakeVault:
    """:class:`openami.security.keys.ports.KeyChanges`, and of a vault what a key feed asks."""

    titles: dict[UUID, SystemTitle] = field(default_factory=dict)
    pairs: dict[UUID, dict[int, Held]] = field(default_factory=dict)
    masters: dict[UUID, dict[int, Held]] = field(default_factory=dict)
    profile: str = "oam-1"
    leaked: dict[UUID, int] = field(default_factory=dict)
    _revision: int = 0

    def ship(
        self, meter_id: UUID, title: SystemTitle, pair: Sequence[bytes], *, master: bytes | None, at: datetime
    ) -> None:
        """Take a meter's factory keys."""
        self.titles[meter_id] = title
        first = Held(tuple(Secret(key) for key in pair), KeyState.ACTIVE, self._next(), at)
        self.pairs[meter_id] = {1: first}
        if master is not None:
            self.masters[meter_id] = {1: Held((Secret(master),), KeyState.ACTIVE, self._next(), at)}

    def mark_compromised(self, meter_id: UUID) -> None:
        """Mark every key that a meter has now as leaked."""
        self.leaked[meter_id] = max(self.pairs[meter_id])
        for held in self.pairs[meter_id].values():
            held.revision = self._next()

    async def revision(self) -> int:
        return self._revision

    async def load(self, *, after_revision: int = 0) -> KeyColumns:
        changed = [
            (meter_id, generation, held)
            for meter_id, generations in self.pairs.items()
            for generation, held in generations.items()
            if held.revision > after_revision
        ]
        return KeyColumns(
            title=np.array([title_number(self.titles[m].octets) for m, _, _ in changed], np.uint64),
            meter_id=uuid_column([m for m, _, _ in changed]),
            generation=np.array([g for _, g, _ in changed], np.uint32),
            state=np.array([STATES.index(held.state) for _, _, held in changed], np.uint8),
            profile=(self.profile,) * len(changed),
            zone=("",) * len(changed),
            encryption_keys=b"".join(held.keys[0].reveal() for _, _, held in changed),
            authentication_keys=b"".join(held.keys[1].reveal() for _, _, held in changed),
            revision=self._revision,
            compromised=np.array([g <= self.leaked.get(m, 0) for m, g, _ in changed], np.bool_),
        )

    async def keep_new_pair(
        self, meter_id: UUID, *, encryption_key: Secret, authentication_key: Secret, at: datetime
    ) -> int:
        return self._keep(self.pairs, meter_id, (encryption_key, authentication_key), at)

    async def keep_new_master(self, meter_id: UUID, *, key: Secret, at: datetime) -> int:
        return self._keep(self.masters, meter_id, (key,), at)

    async def activate(self, meter_id: UUID, what: KeySet, generation: int, *, at: datetime) -> None:
        held = self._of(meter_id, what, generation)
        if held.state is KeyState.ACTIVE:
            return
        if held.state is not KeyState.NEW:
            raise KeyStateError(f"generation {generation} of meter {meter_id} is {held.state}")
        for other in self._set(what)[meter_id].values():
            if other.state is KeyState.ACTIVE:
                self._move(other, KeyState.EXPIRED, at)
        self._move(held, KeyState.ACTIVE, at)

    async def withdraw(self, meter_id: UUID, what: KeySet, generation: int, *, at: datetime) -> None:
        held = self._of(meter_id, what, generation)
        if held.state is KeyState.ACTIVE:
            raise KeyStateError(f"generation {generation} of meter {meter_id} is in use")
        if held.state is not KeyState.WITHDRAWN:
            self._move(held, KeyState.WITHDRAWN, at)

    async def withdraw_expired(self, *, before: datetime, at: datetime) -> int:
        old = [
            held
            for sets in (self.pairs, self.masters)
            for generations in sets.values()
            for held in generations.values()
            if held.state is KeyState.EXPIRED and held.changed_at < before
        ]
        for held in old:
            self._move(held, KeyState.WITHDRAWN, at)
        return sum(len(held.keys) for held in old)

    async def master_key(self, meter_id: UUID, *, state: KeyState = KeyState.ACTIVE) -> MasterKey | None:
        for generation, held in self.masters.get(meter_id, {}).items():
            if held.state is state:
                return MasterKey(meter_id, generation, held.keys[0])
        return None

    def _keep(self, sets: dict[UUID, dict[int, Held]], meter_id: UUID, keys: tuple[Secret, ...], at: datetime) -> int:
        generations = sets.get(meter_id)
        if generations is None:
            raise KeyStateError(f"meter {meter_id} has no such keys in the vault")
        if any(held.state is KeyState.NEW for held in generations.values()):
            raise KeyStateError(f"meter {meter_id} has new keys already")
        generation = max(generations) + 1
        generations[generation] = Held(keys, KeyState.NEW, self._next(), at)
        return generation

    def _set(self, what: KeySet) -> dict[UUID, dict[int, Held]]:
        return self.pairs if what is KeySet.PAIR else self.masters

    def _of(self, meter_id: UUID, what: KeySet, generation: int) -> Held:
        held = self._set(what).get(meter_id, {}).get(generation)
        if held is None:
            raise KeyStateError(f"meter {meter_id} has no keys of generation {generation}")
        return held

    def _move(self, held: Held, state: KeyState, at: datetime) -> None:
        held.state, held.changed_at, held.revision = state, at, self._next()

    def _next(self) -> int:
        self._revision += 1
        return self._revision
