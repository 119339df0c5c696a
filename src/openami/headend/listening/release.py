"""A held counter jump that a person has released: the window moves up to it, and the meter is heard again.

A meter whose counter has jumped by over :data:`~openami.headend.listening.window.MAX_JUMP` is genuine where it lost
its memory or was made anew by its maker, and is an attack where somebody has its keys. A person decides. What they
release is one refused frame, which is opened again here: no tag, no move. The window moves up only, to just below the
frame's counter, so that the frame's own number and all after it are taken; what the held frames carried is read from
the meter as any gap is.

The same release may come again, after a restart from a snapshot that is older than it: it changes nothing that stands
higher.

Source: DESIGN section 4, step 4 (a jump is held and raised); attack A9 (re-synchronization is authenticated).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openami.headend.listening.window import CounterWindows
from openami.protocol.envelope.sealed import SERVICE_RESPONSES, parse_sealed_header, parse_service_sealed
from openami.protocol.envelope.wrapper import parse_wrapper
from openami.protocol.errors import PeerError
from openami.security.keys.table import KeyTable, title_number
from openami.security.keys.weak import KEY_OCTETS
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import open_sealed


@dataclass(frozen=True, slots=True)
class CounterRelease:
    """A refused frame that a person has released.

    Args:
        number: rises with each release.
        letter_id: the dead letter's.
        title: system title that the frame claims, 8 octets.
        frame: wrapper header and sealed APDU, as they came.
    """

    number: int
    letter_id: str
    title: bytes
    frame: bytes


def lift(release: CounterRelease, table: KeyTable, windows: CounterWindows) -> bool:
    """Move the window of the key pair that sealed a released frame up to it; tell whether it moved.

    Args:
        release: what a person has released.
        table: the meters' key pairs.
        windows: changed where the frame's tag verifies and the window stands lower.
    """
    try:
        _, apdu = parse_wrapper(release.frame)
        is_service = apdu[0] in SERVICE_RESPONSES
        head = parse_service_sealed(apdu, title=release.title) if is_service else parse_sealed_header(apdu)
    except PeerError:
        return False
    if head.system_title != release.title:
        return False
    row = _row_that_sealed(release.title, apdu[head.body_offset :], table)
    if row is None:
        return False
    windows.grow(len(table))
    below = head.invocation_counter - 1
    if windows.highest[row] >= below:
        return False
    windows.highest[row] = below
    # The counter below was not heard, but is not taken either: whoever sends it has sat on it.
    windows.bitmap[row] = 0
    windows.bitmap[row, 0] = 1
    return True


def _row_that_sealed(title: bytes, body: bytes, table: KeyTable) -> int | None:
    first, count = table.candidates(np.array([title_number(title)], np.uint64))
    rows = table.row_at(np.arange(first[0], first[0] + count[0]))
    for row, pair in zip(rows.tolist(), table.key_pairs(rows), strict=True):
        try:
            open_sealed(title, body, key=pair[:KEY_OCTETS], auth_key=pair[KEY_OCTETS:])
        except SuiteError:
            continue
        return int(row)
    return None
