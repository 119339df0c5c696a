"""Identifiers. All but the system title are random UUIDs that mean nothing outside the registry that issued them.

No identifier here can be traced to a person: the join to identity lives in the customer room alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType
from uuid import UUID

from openami.kernel.errors import OpenAmiError

MeterId = NewType("MeterId", UUID)
ServicePointId = NewType("ServicePointId", UUID)
AccountId = NewType("AccountId", UUID)
UsageSubjectId = NewType("UsageSubjectId", UUID)
"""One occupancy of a service point. Move-in makes a new one, so a new occupant sees none of the old intervals."""
BatchId = NewType("BatchId", UUID)


class BadSystemTitleError(OpenAmiError):
    """A system title does not have eight octets."""


@dataclass(frozen=True, slots=True, order=True)
class SystemTitle:
    r"""The eight-octet DLMS name of a device: three FLAG letters and five octets of its maker's choice.

    Source: IEC 62056-5-3, system title.

    Raises:
        BadSystemTitleError: not eight octets.

    >>> str(SystemTitle(b"OAM\x00\x00\x00\x00\x01"))
    '4f414d0000000001'
    """

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 8:
            raise BadSystemTitleError(f"a system title has 8 octets, not {len(self.octets)}")

    @classmethod
    def from_hex(cls, text: str) -> SystemTitle:
        """Read sixteen hexadecimal digits.

        Raises:
            BadSystemTitleError: not sixteen hexadecimal digits.
        """
        try:
            return cls(bytes.fromhex(text))
        except ValueError as error:
            raise BadSystemTitleError(f"{text[:32]!r} is not 16 hexadecimal digits") from error

    @property
    def manufacturer(self) -> str:
        """The three FLAG letters, or dots where they are not letters."""
        return "".join(chr(o) if 0x41 <= o <= 0x5A else "." for o in self.octets[:3])

    def __str__(self) -> str:
        return self.octets.hex()
