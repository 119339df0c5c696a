"""By how much our invocation counters jump at a start, so that none comes twice after a backup was brought back.

A command process keeps a token in its home and the same one in the database, and changes it every minute. A database
that does not know the token was set back, or is another: every counter jumps. Home and database that were set back
together agree; then the time since the token was last changed bounds what was used meanwhile: one counter a second and
meter is more than the radio carries for long.

A jump stays below what a meter takes for a jump of ours and not for an attack, 10^6.

Source: requirement R4.2; attack A3 (restore from backup, fail-over).
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

MAX_JUMP = 900_000
"""Of the 10^6 that a meter takes at once; what was reserved and not used must fit in, too."""
RENEW_S = 60
STILL_S = 3 * RENEW_S
"""A shorter rest than this is a restart, in which nothing was used that the database does not know."""


@dataclass(frozen=True, slots=True)
class KeptEpoch:
    """What a command process keeps in its home.

    Args:
        witness_id: random; its own.
        tokens: the one in the database is one of these.
        at_s: when it was last changed, real time, seconds since the epoch.
    """

    witness_id: UUID
    tokens: tuple[UUID, ...]
    at_s: int


def jump_of(kept: KeptEpoch | None, *, found: UUID | None, has_witnesses: bool, now_s: int) -> int:
    """Return by how much every counter must jump, 0 to ``MAX_JUMP``.

    Args:
        kept: what the home holds; None where it holds nothing.
        found: the token that the database holds for it; None for none.
        has_witnesses: whether the database holds a token of anybody.
        now_s: real time, seconds since the epoch.

    >>> mine = KeptEpoch(UUID(int=1), (UUID(int=2),), at_s=1_000)
    >>> jump_of(mine, found=UUID(int=2), has_witnesses=True, now_s=1_060)
    0
    >>> jump_of(mine, found=UUID(int=3), has_witnesses=True, now_s=1_060)
    900000
    """
    if kept is None:
        # The first of all: there is nothing that could have been set back. Or a home that was lost with its tokens.
        return MAX_JUMP if has_witnesses else 0
    if found not in kept.tokens:
        return MAX_JUMP
    passed_s = now_s - kept.at_s
    if passed_s < 0:
        return MAX_JUMP
    return 0 if passed_s <= STILL_S else min(MAX_JUMP, passed_s)
