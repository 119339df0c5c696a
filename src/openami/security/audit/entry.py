"""One audit row and its canonical bytes, which are the leaf of the tree.

An audit row is one look (or one refused look) of a person or third party. It names the actor and the subjects by
random ids; no name, no reading. Source: RFC 8785 in spirit: sorted keys, no spaces, integers only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.kernel.time import EPOCH, Period, require_utc

MAX_LEAF_OCTETS = 65_536
"""A row with more subjects than fit here is a report, not a look."""


class BadAuditEntryError(OpenAmiError):
    """Octets are not an audit row; the text says why."""


def whole_ms(instant: datetime) -> datetime:
    """Return an instant in the whole milliseconds that a row keeps."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One look.

    Args:
        entry_id: random name of the row.
        at: real time of the decision, whole milliseconds.
        domain_at: the installation's domain time then.
        actor: ``user:<uuid>``.
        role: the role that the rule was found by.
        purpose, action, kind: see :mod:`openami.security.access.policy`.
        subjects: service points, sorted; empty for totals and devices.
        period: span of data asked for, or None.
        query: name of the operation.
        allowed: the decision.
        reason: why.
        note: a stated reason, for changes.
    """

    entry_id: UUID
    at: datetime
    domain_at: datetime
    actor: str
    role: str
    purpose: str
    action: str
    kind: str
    subjects: tuple[UUID, ...]
    period: Period | None
    query: str
    allowed: bool
    reason: str
    note: str = ""

    def canonical(self) -> bytes:
        """Return the row as canonical JSON: the octets that the leaf hash commits to."""
        row = {
            "action": self.action,
            "actor": self.actor,
            "allowed": self.allowed,
            "at_ms": _ms(self.at),
            "domain_at_ms": _ms(self.domain_at),
            "from_s": self.period.start_s if self.period else None,
            "id": str(self.entry_id),
            "kind": self.kind,
            "note": self.note,
            "purpose": self.purpose,
            "query": self.query,
            "reason": self.reason,
            "role": self.role,
            "subjects": [str(s) for s in self.subjects],
            "to_s": self.period.end_s if self.period else None,
            "v": 1,
        }
        return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    @classmethod
    def from_canonical(cls, octets: bytes) -> AuditEntry:
        """Read a row.

        Raises:
            BadAuditEntryError: not an audit row of version 1.
        """
        if len(octets) > MAX_LEAF_OCTETS:
            raise BadAuditEntryError(f"audit row of {len(octets)} octets, the limit is {MAX_LEAF_OCTETS}")
        try:
            row = json.loads(octets)
            if row["v"] != 1:
                raise BadAuditEntryError("audit row of a version other than 1")
            has_period = row["from_s"] is not None
            return cls(
                entry_id=UUID(row["id"]),
                at=_instant(row["at_ms"]),
                domain_at=_instant(row["domain_at_ms"]),
                actor=str(row["actor"]),
                role=str(row["role"]),
                purpose=str(row["purpose"]),
                action=str(row["action"]),
                kind=str(row["kind"]),
                subjects=tuple(UUID(s) for s in row["subjects"]),
                period=Period(_instant(row["from_s"] * 1000), _instant(row["to_s"] * 1000)) if has_period else None,
                query=str(row["query"]),
                allowed=bool(row["allowed"]),
                reason=str(row["reason"]),
                note=str(row["note"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise BadAuditEntryError(f"not an audit row: {type(error).__name__}") from error


def _ms(instant: datetime) -> int:
    return (require_utc(instant) - EPOCH) // timedelta(milliseconds=1)


def _instant(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
