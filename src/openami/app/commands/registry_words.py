"""Register reads as a person writes them at the command line: ``CHANNEL=COUNT``, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.mdm.registry.change import EndReads
    from openami.mdm.registry.desk import TakenReads


def end_reads(said: Sequence[str]) -> EndReads:
    """Read CHANNEL=COUNT words as reads.

    Raises:
        MisuseError: one is not that.
    """
    from openami.mdm.registry.change import EndRead

    return {channel: EndRead(count) for channel, count in counts_of(said).items()}


def taken_reads(said: Sequence[str], unreadable: Sequence[str]) -> TakenReads:
    """Read CHANNEL=COUNT and CHANNEL=WHY words.

    Raises:
        MisuseError: one is not that, or a channel is both read and not.
    """
    from openami.mdm.registry.desk import Unreadable

    reads: dict[Any, Any] = dict(counts_of(said))
    for word in unreadable:
        channel, why = _channel(word)
        if channel in reads:
            raise MisuseError(f"{word[:40]!r}: this register has a read already")
        reads[channel] = Unreadable(why)
    return reads


def counts_of(said: Sequence[str]) -> dict[Any, int]:
    """Read CHANNEL=COUNT words.

    Raises:
        MisuseError: one is not that.
    """
    counts = {}
    for word in said:
        channel, count = _channel(word)
        if not count.isascii() or not count.isdigit() or len(count) > 15:
            raise MisuseError(f"{word[:40]!r}: a register count is a whole number, as delivered=12345")
        counts[channel] = int(count)
    return counts


def _channel(word: str) -> tuple[Any, str]:
    from openami.contracts.channel import CHANNEL_BY_NAME

    name, sign, rest = word.partition("=")
    if not sign or name.strip().lower() not in CHANNEL_BY_NAME:
        raise MisuseError(f"{word[:40]!r}: give CHANNEL=VALUE, as delivered=12345 or received=12")
    return CHANNEL_BY_NAME[name.strip().lower()], rest.strip()
