"""What a wrapped key is bound to. A row copied to another meter, use or generation does not unwrap.

Source: DESIGN section 5, the vault's context ``installation|meter|use|generation|suite``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from uuid import UUID


class KeyUse(StrEnum):
    """What a key is for. Source: IEC 62056-5-3, key types of a security setup.

    MASTER is the key that a meter takes new keys under. Nothing else is ever sealed with it, and of our processes the
    command process alone can read it. BROADCAST is the key of a group of meters; its context names the group.
    """

    ENCRYPTION = "encryption"
    AUTHENTICATION = "authentication"
    MASTER = "master"
    BROADCAST = "broadcast"


class KeySet(Enum):
    """Keys that change together and share one generation."""

    PAIR = (KeyUse.ENCRYPTION, KeyUse.AUTHENTICATION)
    MASTER = (KeyUse.MASTER,)


class KeyState(StrEnum):
    """Where a key is in its life.

    NEW is known to us and not proved by the meter yet; ACTIVE is in use; EXPIRED still opens late frames;
    WITHDRAWN opens nothing and is kept for its counter window alone.
    """

    NEW = "new"
    ACTIVE = "active"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class KeyContext:
    """The context that authenticates a wrapped key.

    Args:
        installation: id of this installation, made with its first key.
        meter: the meter's id in the vault; of a broadcast key, the group's.
        use: what the key is for.
        generation: 1 for the factory's key, one more after each rotation.
        suite: DLMS security suite, 0 to 2.
    """

    installation: UUID
    meter: UUID
    use: KeyUse
    generation: int
    suite: int

    def octets(self) -> bytes:
        """Return the additional authenticated data."""
        return f"{self.installation}|{self.meter}|{self.use}|{self.generation}|{self.suite}".encode("ascii")
