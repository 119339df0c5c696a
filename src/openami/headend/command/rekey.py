"""New keys for a meter: made, kept and wrapped here, and put into use once the meter has proved that it holds them.

What a head-end gets of this is a number, the generation, and what goes to the meter: the new keys wrapped in the
meter's own master key, which is in this process alone. Order of things, so that no crash loses a meter:

* the new pair is in the vault before anything that holds it leaves this process;
* while a pair is new and not proved, the same pair is given again, never another one: the meter holds the pair in use
  or this one, and there is no third;
* a pair comes into use only by the meter's own words under it; that a change was acknowledged is not enough, and what
  the head-end says of it is nothing at all.

Where the keys in use have leaked, a new master key goes in the same message, last, wrapped in the old one as well. A
meter takes a message whole or not at all, so its words under the new pair prove the new master key, too. In the same
way the broadcast key of the meter's group goes with its new pair, where it has a group.

Source: IEC 62056-6-2, 4.4.7 (key_transfer); IEC 62056-5-3, 5.3.4.7 (key wrap); attack A11; requirement R3.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from openami.contracts.command import CommandClass, Refusal
from openami.headend.command.pairs import ACTIVE, NEW, Pair, Pairs
from openami.headend.command.ports import (
    ApprovalRequest,
    CommandRefusedError,
    CommandUnavailableError,
    Warrant,
)
from openami.kernel.ids import SystemTitle
from openami.kernel.obis import Obis
from openami.protocol import apdu as messages
from openami.protocol import axdr
from openami.protocol.apdu.services import ActionRequest
from openami.protocol.axdr import Data, Tag, array, octet_string, structure
from openami.protocol.cosem.reference import MethodRef
from openami.protocol.errors import PeerError
from openami.security.keys.context import KeySet, KeyState
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.groups import GroupKeys
from openami.security.keys.ports import KeyChanges, KeyStateError, VaultUnavailableError
from openami.security.keys.secret import Secret
from openami.security.keys.weak import KEY_OCTETS, reason_key_is_weak
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import open_sealed
from openami.security.suites.wrap import wrap_key

KEY_TRANSFER = MethodRef(64, Obis.from_text("0.0.43.0.0.255"), 2)
ENCRYPTION_KEY, BROADCAST_KEY, AUTHENTICATION_KEY, MASTER_KEY = 0, 1, 2, 3
"""Key ids of a transfer."""
MAX_THROWS = 8
"""Random keys that are tried until one is not weak: one in 2**100 is."""


class KeyWarrants(Protocol):
    """Orders of people to change keys. Raises :class:`CommandUnavailableError`."""

    async def warrant(self, title: SystemTitle) -> Warrant | None:
        """Return what a change of this meter's keys rests on now; None where nobody has ordered it."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """New keys that are in the vault.

    Args:
        generation: theirs.
        is_fresh: whether they were made just now: then nothing that holds them has ever left.
    """

    generation: int
    is_fresh: bool


class KeyRotation:
    """Makes, wraps and proves new keys.

    Args:
        pairs: key pairs of every meter.
        changes: the vault.
        warrants: what people have ordered.
        dice: gives that many octets nobody can guess.
        now: domain time, for the vault's book.
        groups: broadcast keys of groups; None where there are none.
    """

    def __init__(
        self,
        pairs: Pairs,
        changes: KeyChanges,
        warrants: KeyWarrants,
        *,
        dice: Callable[[int], bytes],
        now: Callable[[], datetime],
        groups: GroupKeys | None = None,
    ) -> None:
        self._groups = groups
        self._pairs = pairs
        self._changes = changes
        self._warrants = warrants
        self._dice = dice
        self._now = now

    async def begin(self, title: SystemTitle) -> Begun:
        """Return the new keys of a meter; they are in the vault.

        Raises:
            CommandRefusedError: nobody ordered it, no keys are in use, or the meter has no master key.
            CommandUnavailableError: an engine is away.
        """
        await self._pairs.refresh()
        waiting = self._new_of(title)
        if waiting is not None:
            return Begun(waiting.generation, is_fresh=False)
        if await self._warrants.warrant(title) is None:
            raise CommandRefusedError(Refusal.NEEDS_APPROVAL, "nobody has ordered that this meter's keys change")
        active = next(iter(self._pairs.of(title, states=(ACTIVE,))), None)
        if active is None:
            raise CommandRefusedError(Refusal.UNKNOWN_TITLE, f"no keys in use for {title}")
        # Without a master key nothing could be sent, and keys that nobody can send are not made.
        await self._master_of(active.meter_id)
        try:
            if active.is_compromised and await self._changes.master_key(active.meter_id, state=KeyState.NEW) is None:
                # Before the pair: where only it was made, the pair that comes next goes with it.
                await self._changes.keep_new_master(active.meter_id, key=self._fresh(), at=self._now())
            generation = await self._changes.keep_new_pair(
                active.meter_id, encryption_key=self._fresh(), authentication_key=self._fresh(), at=self._now()
            )
            if self._groups is not None:
                await self._groups.send_group_key_with(active.meter_id, generation)
        except KeyStateError:
            # Another command process was faster: its keys are as good, and must be these.
            await self._pairs.refresh()
            waiting = self._new_of(title)
            if waiting is None:
                raise CommandUnavailableError("the vault has other new keys than it shows: try again") from None
            return Begun(waiting.generation, is_fresh=False)
        except VaultUnavailableError as error:
            raise CommandUnavailableError(str(error)) from error
        await self._pairs.refresh()
        return Begun(generation, is_fresh=True)

    async def parameter(self, title: SystemTitle, generation: int) -> bytes:
        """Return the parameter of *key_transfer* for new keys, as A-XDR: both wrapped in the meter's master key.

        Raises:
            CommandRefusedError: there are no such new keys, or the meter has no master key.
            CommandUnavailableError: an engine is away.
        """
        pair = await self._pairs.to_seal(title, generation)
        if pair.state != NEW:
            raise CommandRefusedError(Refusal.BAD_COMMAND, f"the keys of generation {generation} are not new")
        master = await self._master_of(pair.meter_id)
        try:
            new_master = await self._changes.master_key(pair.meter_id, state=KeyState.NEW)
            of_group = await self._groups.group_key_to_send(pair.meter_id, generation) if self._groups else None
        except VaultUnavailableError as error:
            raise CommandUnavailableError(str(error)) from error
        except KeyBindingError as error:
            raise CommandRefusedError(Refusal.UNKNOWN_TITLE, str(error)) from error
        beside: dict[int, Secret] = {}
        if new_master is not None:
            beside[MASTER_KEY] = new_master.key
        if of_group is not None:
            beside[BROADCAST_KEY] = of_group.key
        return axdr.encode(wrapped(pair, master, beside))

    async def proved(self, title: SystemTitle, generation: int, sealed: bytes) -> None:
        """Put new keys into use, on the meter's own words under them; the old ones expire. Again changes nothing.

        Args:
            title: the meter.
            generation: of the keys.
            sealed: what it sealed with them, ``SC | IC | ciphertext | tag``.

        Raises:
            CommandRefusedError: that is not sealed by this meter with these keys.
            CommandUnavailableError: the vault is away.
        """
        pair = await self._pairs.to_seal(title, generation)
        try:
            open_sealed(title.octets, sealed, key=pair.key, auth_key=pair.auth_key)
        except SuiteError as error:
            words = f"that the meter holds its keys of generation {generation} is not proved: {error.code}"
            raise CommandRefusedError(Refusal.BAD_SIGNATURE, words) from error
        try:
            new_master = await self._changes.master_key(pair.meter_id, state=KeyState.NEW)
            if new_master is not None and pair.state == NEW:
                # First, so that a new master key without a new pair always means that neither has gone.
                await self._changes.activate(pair.meter_id, KeySet.MASTER, new_master.generation, at=self._now())
            await self._changes.activate(pair.meter_id, KeySet.PAIR, generation, at=self._now())
            if self._groups is not None:
                await self._groups.group_key_held(pair.meter_id, generation)
        except KeyStateError as error:
            raise CommandRefusedError(Refusal.BAD_COMMAND, str(error)) from error
        except VaultUnavailableError as error:
            raise CommandUnavailableError(str(error)) from error
        await self._pairs.refresh()

    async def transfer_of(self, title: SystemTitle) -> bytes | None:
        """Return the parameter that may go to a meter now; None where it has no new keys."""
        waiting = self._new_of(title)
        return None if waiting is None else await self.parameter(title, waiting.generation)

    async def refresh(self) -> None:
        """Load what changed in the vault. Raises CommandUnavailableError."""
        await self._pairs.refresh()

    def _new_of(self, title: SystemTitle) -> Pair | None:
        return next(iter(self._pairs.of(title, states=(NEW,))), None)

    async def _master_of(self, meter_id: UUID) -> Secret:
        try:
            master = await self._changes.master_key(meter_id)
        except VaultUnavailableError as error:
            raise CommandUnavailableError(str(error)) from error
        except KeyBindingError as error:
            raise CommandRefusedError(Refusal.UNKNOWN_TITLE, str(error)) from error
        if master is None:
            raise CommandRefusedError(Refusal.UNKNOWN_TITLE, "its keys are for life: the vault has no master key of it")
        return master.key

    def _fresh(self) -> Secret:
        for _ in range(MAX_THROWS):
            key = Secret(self._dice(KEY_OCTETS))
            if reason_key_is_weak(key) is None:
                return key
        raise CommandUnavailableError("the source of random octets gives weak keys")


class KeyApprovals:
    """:class:`openami.headend.command.ports.Approvals`: of a transfer of exactly the new keys, where it was ordered.

    Args:
        rotation: what may go to a meter.
        warrants: what people have ordered.
    """

    def __init__(self, rotation: KeyRotation, warrants: KeyWarrants) -> None:
        self._rotation, self._warrants = rotation, warrants

    async def find(self, request: ApprovalRequest) -> Warrant | None:
        """Return the order that a transfer rests on; None for anything else."""
        if request.command_class is not CommandClass.KEY:
            return None
        warrant = await self._warrants.warrant(request.title)
        if warrant is None:
            return None
        if await self._is_transfer(request):
            return warrant
        # Another command process may have made or proved keys since this one looked.
        await self._rotation.refresh()
        return warrant if await self._is_transfer(request) else None

    async def _is_transfer(self, request: ApprovalRequest) -> bool:
        parameter = await self._rotation.transfer_of(request.title)
        return parameter is not None and is_transfer_of(request.plaintext, parameter)

    async def spend(self, request: ApprovalRequest) -> Warrant | None:
        """As :meth:`find`: the same keys go again where no answer came, so what ends an order is its window."""
        return await self.find(request)


def wrapped(pair: Pair, master: Secret, beside: Mapping[int, Secret] = MappingProxyType({})) -> Data:
    """Return new keys of a meter as *key_transfer* takes them, by their numbers.

    Args:
        pair: the new pair.
        master: what they are wrapped in.
        beside: what goes with them: a new master key, the key of a group.
    """
    keys = {ENCRYPTION_KEY: pair.key, AUTHENTICATION_KEY: pair.auth_key} | {n: k.reveal() for n, k in beside.items()}
    return array(
        *(
            structure(Data(Tag.ENUM, number), octet_string(wrap_key(key, wrapping_key=master.reveal())))
            for number, key in sorted(keys.items())
        )
    )


def is_transfer_of(plaintext: bytes, parameter: bytes) -> bool:
    """Tell whether a plain APDU calls *key_transfer* with exactly this parameter.

    Args:
        plaintext: the APDU before it is sealed.
        parameter: as A-XDR. Key wrap gives the same octets for the same keys, so they are compared.
    """
    try:
        request = messages.decode(plaintext)
    except PeerError:
        return False
    return (
        isinstance(request, ActionRequest)
        and request.method == KEY_TRANSFER
        and request.parameter is not None
        and axdr.encode(request.parameter) == parameter
    )
