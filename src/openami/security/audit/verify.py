"""The auditor's check of an exported log, with nothing but the file and the public key.

The export is JSON lines in the order of the tree: ``{"i": index, "e": canonical row}`` for a leaf, ``{"head": note}``
where a signed tree head stands. Every head must stand over exactly the leaves before it, so an edit, a deletion, a
change of order or a cut before the last head shows at the first head after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from openami.kernel.finding import Finding, Severity
from openami.security.audit.entry import AuditEntry, BadAuditEntryError
from openami.security.audit.head import BadTreeHeadError, SignedHead, verify_head
from openami.security.audit.merkle import Frontier, leaf_hash

MAX_LINE_CHARACTERS = 200_000
MAX_FINDINGS = 20


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What the check found.

    Args:
        entries: leaves read.
        heads: tree heads verified.
        signed_size: leaves under the newest good head.
        root_hex: its root.
        signed_at: its real time.
        unsigned_tail: leaves after it, not yet signed.
        findings: why the log is not whole; empty for a whole one.
    """

    entries: int
    heads: int
    signed_size: int
    root_hex: str
    signed_at: datetime | None
    unsigned_tail: int
    findings: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify_export(lines: Iterable[str], *, public_key: bytes, known: SignedHead | None = None) -> AuditReport:
    """Check an export.

    Args:
        lines: the file's lines.
        public_key: the installation's audit key, from elsewhere than the file.
        known: a tree head kept from an earlier check: the log must contain it, or its tail was cut or rewritten.
    """
    check = _Check(public_key, known)
    for number, line in enumerate(lines, start=1):
        check.line(number, line)
        if len(check.findings) >= MAX_FINDINGS:
            break
    return check.report()


class _Check:
    def __init__(self, public_key: bytes, known: SignedHead | None) -> None:
        self.public_key, self.known = public_key, known
        self.frontier = Frontier()
        self.heads: list[SignedHead] = []
        self.findings: list[Finding] = []

    def line(self, number: int, line: str) -> None:
        if not line.strip():
            return
        try:
            row = json.loads(line) if len(line) <= MAX_LINE_CHARACTERS else None
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict) and isinstance(row.get("head"), str):
            self._head(number, row["head"])
        elif isinstance(row, dict) and isinstance(row.get("e"), str) and isinstance(row.get("i"), int):
            self._leaf(number, row["i"], row["e"])
        else:
            self._found("unreadable_line", number, "neither a leaf nor a tree head")

    def _leaf(self, number: int, index: int, text: str) -> None:
        octets = text.encode("utf-8", "surrogatepass")
        if index != self.frontier.size:
            self._found("index_gap", number, f"leaf {index} where {self.frontier.size} belongs")
        try:
            AuditEntry.from_canonical(octets)
        except BadAuditEntryError as error:
            self._found("bad_entry", number, str(error))
        self.frontier = self.frontier.grown([leaf_hash(octets)])
        if self.known and self.frontier.size == self.known.size and self.frontier.root() != self.known.root:
            self._found("rewritten", number, f"the first {self.known.size} leaves are not those of the kept head")

    def _head(self, number: int, note: str) -> None:
        try:
            head = verify_head(note, public_key=self.public_key)
        except BadTreeHeadError as error:
            self._found("bad_head", number, str(error))
            return
        if head.size != self.frontier.size or head.root != self.frontier.root():
            first = self.heads[-1].size if self.heads else 0
            self._found("altered", number, f"leaves {first} to {head.size - 1} are not those that were signed")
        elif self.heads and head.signed_at < self.heads[-1].signed_at:
            self._found("time_backwards", number, "signed before the head above it")
        else:
            self.heads.append(head)

    def _found(self, rule: str, line: int, text: str) -> None:
        evidence: dict[str, int | float | str] = {"line": line, "leaf": self.frontier.size, "text": text}
        self.findings.append(Finding(rule, Severity.FAIL, f"line {line}", None, evidence))

    def report(self) -> AuditReport:
        newest = self.heads[-1] if self.heads else None
        if self.known and self.frontier.size < self.known.size:
            text = f"{self.frontier.size} leaves, the kept head has {self.known.size}"
            self.findings.append(Finding("truncated", Severity.FAIL, "end", None, {"text": text}))
        size = newest.size if newest else 0
        return AuditReport(
            entries=self.frontier.size,
            heads=len(self.heads),
            signed_size=size,
            root_hex=newest.root.hex() if newest else "",
            signed_at=newest.signed_at if newest else None,
            unsigned_tail=self.frontier.size - size,
            findings=tuple(self.findings),
        )
