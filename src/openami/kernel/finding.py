"""Findings: data about data. A finding is returned, stored and shown; it is never raised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from openami.kernel.time import Period


class Severity(StrEnum):
    """What a finding asks for: look (warn) or do not use the value (fail)."""

    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's statement about one subject and span.

    Args:
        rule: the stable code of the rule, for example ``missing`` or ``sum_check``.
        severity: warn or fail.
        subject: what it is about, as text that names no person (a meter or service point id, a line of a file).
        period: the span concerned; None where the statement has no time.
        evidence: numbers and texts that show why; integers with units last in the key.
    """

    rule: str
    severity: Severity
    subject: str
    period: Period | None = None
    evidence: Mapping[str, int | float | str] = field(default_factory=dict)
