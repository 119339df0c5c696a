"""OBIS codes: six octets that name what a value is. Source: IEC 62056-6-1."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openami.kernel.errors import OpenAmiError

_TEXT = re.compile(r"^(\d{1,3})[.-](\d{1,3})[.:](\d{1,3})\.(\d{1,3})\.(\d{1,3})[.*](\d{1,3})$")


class BadObisError(OpenAmiError):
    """Text or octets are not an OBIS code."""


@dataclass(frozen=True, slots=True, order=True)
class Obis:
    """An OBIS code A-B:C.D.E*F.

    >>> str(Obis.from_text("1-0:1.8.0*255"))
    '1.0.1.8.0.255'
    >>> Obis.from_text("1.0.1.8.0.255").octets.hex()
    '0100010800ff'
    """

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 6:
            raise BadObisError(f"an OBIS code has 6 octets, not {len(self.octets)}")

    @classmethod
    def from_text(cls, text: str) -> Obis:
        """Read ``1.0.1.8.0.255`` or ``1-0:1.8.0*255``.

        Raises:
            BadObisError: any other text, or a group over 255.
        """
        match = _TEXT.match(text)
        groups = [int(g) for g in match.groups()] if match else []
        if len(groups) != 6 or max(groups) > 255:
            raise BadObisError(f"{text[:40]!r} is not an OBIS code; for example 1.0.1.8.0.255")
        return cls(bytes(groups))

    def __str__(self) -> str:
        return ".".join(str(o) for o in self.octets)
