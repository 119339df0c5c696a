"""What a session needs of a meter's keys: sealing is asked of the command process, opening was done by the intake.

Source: DESIGN section 4 (Downlink): uplink keys live in the head-end, sealing lives in the command process alone.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from openami.headend.ports import ForgedAnswerError
from openami.headend.session.exchange import Exchanges
from openami.kernel.ids import SystemTitle
from openami.security.keys.table import KeyTable, title_number
from openami.security.keys.weak import KEY_OCTETS
from openami.security.suites.gcm import verify_gmac_answer


class CommandProcess(Protocol):
    """The command process as sessions see it. Raises as :class:`openami.headend.ports.Sealing`."""

    async def seal(self, title: SystemTitle, plaintext: bytes, *, control: int, generation: int = 0) -> bytes:
        """Return ``SC | IC | ciphertext | tag``."""
        ...

    async def prove(self, title: SystemTitle, challenge: bytes, *, generation: int = 0) -> bytes:
        """Return ``SC | IC | tag``."""
        ...


class SessionSealing:
    """:class:`openami.headend.ports.Sealing` of one head-end.

    Args:
        process: seals and proves.
        exchanges: has the answers that the intake opened.
        table: key pairs of the head-end.
    """

    def __init__(self, process: CommandProcess, exchanges: Exchanges, table: KeyTable) -> None:
        self._process = process
        self._exchanges = exchanges
        self._table = table

    async def seal(self, title: SystemTitle, plaintext: bytes, *, control: int, generation: int = 0) -> bytes:
        """Return an APDU for a meter, sealed by the command process."""
        return await self._process.seal(title, plaintext, control=control, generation=generation)

    async def prove(self, title: SystemTitle, challenge: bytes, *, generation: int = 0) -> bytes:
        """Return our answer to a meter's challenge, made by the command process."""
        return await self._process.prove(title, challenge, generation=generation)

    async def open(self, title: SystemTitle, sealed: bytes) -> bytes:
        """Return the APDU of an answer that an exchange has just returned.

        Raises:
            ForgedAnswerError: the intake has not passed this answer, or it was read before.
        """
        plaintext = self._exchanges.take_opened(title, sealed)
        if plaintext is None:
            raise ForgedAnswerError(f"an answer of {title} that did not come sealed under its keys")
        return plaintext

    async def verify(self, title: SystemTitle, challenge: bytes, proof: bytes) -> bool:
        """Tell whether a meter's answer to our challenge proves that it holds its keys."""
        first, count = self._table.candidates(np.array([title_number(title.octets)], np.uint64))
        pairs = self._table.key_pairs(self._table.row_at(np.arange(first[0], first[0] + count[0])))
        return any(
            verify_gmac_answer(title.octets, proof, challenge, key=pair[:KEY_OCTETS], auth_key=pair[KEY_OCTETS:])
            for pair in pairs
        )
