"""Items of an order that releases what the gateway keeps: ``what u8 | id 16``.

What 1 is a frame in the quarantine, by the id that is made of all that the frame is; 2 a command that was over a
threshold, by the request id of the first that was kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from openami.contracts.directive_body import ID_OCTETS, Released
from openami.contracts.errors import ContractError

_FRAME, _COMMAND = 1, 2


def frame_item(frame_id: bytes) -> bytes:
    """Return the item that releases a frame, given its id, 16 octets."""
    return bytes((_FRAME,)) + frame_id


def command_item(held_id: UUID) -> bytes:
    """Return the item that releases a kept command."""
    return bytes((_COMMAND,)) + held_id.bytes


def released_by(items: Iterable[bytes]) -> Released:
    """Return what items release together.

    Raises:
        ContractError: an item that is none.

    >>> released_by([command_item(UUID(int=7))]).commands
    frozenset({UUID('00000000-0000-0000-0000-000000000007')})
    """
    frames, commands = set(), set()
    for item in items:
        if len(item) != 1 + ID_OCTETS or item[0] not in {_FRAME, _COMMAND}:
            raise ContractError(f"release: an item of {len(item)} octets that is none")
        if item[0] == _FRAME:
            frames.add(item[1:])
        else:
            commands.add(UUID(bytes=item[1:]))
    return Released(frozenset(frames), frozenset(commands))
