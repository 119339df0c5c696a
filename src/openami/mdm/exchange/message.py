"""A message as it came: who sent it, which it is, and its records in order, read or rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from openami.mdm.exchange.record import MasterRecord, RejectedRecord

MAX_MESSAGE_OCTETS = 64 * 1024 * 1024
MAX_RECORDS = 200_000
"""Some 60,000 starts and stops a night, three times over."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of master data.

    Args:
        sender: the other system's name.
        id: its number of the message; unique for the sender.
        made_at: when it was made.
        form: ``flat`` or ``cim``: the acknowledgement is written alike.
        records: in order.
        digest: SHA-256 of its octets: the same number with another digest is another message.
        extra: what the answer must repeat, for example CIM's verb and noun.
    """

    sender: str
    id: str
    made_at: datetime
    form: str
    records: tuple[MasterRecord | RejectedRecord, ...]
    digest: bytes
    extra: Mapping[str, str] = field(default_factory=dict)


def digest_of(octets: bytes) -> bytes:
    """Return what tells two messages of one number apart."""
    return sha256(octets).digest()
