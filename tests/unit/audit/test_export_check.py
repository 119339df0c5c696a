"""The auditor's check finds every way of altering an exported log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.kernel.time import Period
from openami.security.audit.entry import AuditEntry, BadAuditEntryError
from openami.security.audit.head import (
    BadTreeHeadError,
    SignedHead,
    public_key_of,
    read_verifier_key,
    sign_head,
    verifier_key,
    verify_head,
)
from openami.security.audit.merkle import Frontier, leaf_hash
from openami.security.audit.verify import verify_export

PRIVATE = bytes(range(32))
PUBLIC = public_key_of(PRIVATE)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def entry(number: int, *, note: str = "") -> AuditEntry:
    return AuditEntry(
        entry_id=UUID(int=number),
        at=NOW + timedelta(seconds=number),
        domain_at=NOW,
        actor="user:1",
        role="OPERATOR",
        purpose="operations",
        action="read",
        kind="intervals",
        subjects=(UUID(int=7),),
        period=Period(NOW - timedelta(days=1), NOW),
        query="intervals",
        allowed=True,
        reason="staff rule",
        note=note,
    )


def export(count: int, heads: tuple[int, ...]) -> list[str]:
    lines, frontier = [], Frontier()
    for i in range(count):
        body = entry(i).canonical()
        frontier = frontier.grown([leaf_hash(body)])
        lines.append(json.dumps({"i": i, "e": body.decode()}))
        if i + 1 in heads:
            head = sign_head(
                size=i + 1, root=frontier.root(), signed_at=NOW + timedelta(minutes=i), private_key=PRIVATE
            )
            lines.append(json.dumps({"head": head.note}))
    return lines


def rules(lines: list[str], known: SignedHead | None = None) -> set[str]:
    return {f.rule for f in verify_export(lines, public_key=PUBLIC, known=known).findings}


def test_a_whole_log_passes_and_says_what_is_not_signed_yet() -> None:
    report = verify_export(export(12, (5, 10)), public_key=PUBLIC)
    assert report.is_whole
    assert (report.entries, report.heads, report.signed_size, report.unsigned_tail) == (12, 2, 10, 2)


@pytest.mark.parametrize("leaf", range(10))
def test_an_edited_row_is_found_wherever_it_is(leaf: int) -> None:
    lines = export(10, (5, 10))
    at = next(i for i, text in enumerate(lines) if f'"i": {leaf},' in text)
    lines[at] = lines[at].replace("OPERATOR", "SECAUD")
    assert "altered" in rules(lines)


def test_a_deleted_row_a_swapped_pair_and_an_added_row_are_found() -> None:
    lines = export(10, (10,))
    assert {"index_gap", "altered"} <= rules(lines[:3] + lines[4:])
    assert "altered" in rules([lines[1], lines[0], *lines[2:]])
    assert "altered" in rules([*lines[:10], lines[9], lines[10]])


def test_a_cut_tail_is_found_by_whoever_kept_a_head() -> None:
    whole = export(10, (5, 10))
    kept = verify_head(json.loads(whole[-1])["head"], public_key=PUBLIC)
    assert rules(whole, kept) == set()
    assert "truncated" in rules(export(5, (5,)), kept)


def test_a_past_rewritten_with_the_real_key_is_found_by_whoever_kept_a_head() -> None:
    kept = verify_head(json.loads(export(5, (5,))[-1])["head"], public_key=PUBLIC)
    lines, frontier = [], Frontier()
    for i in range(6):
        body = entry(i, note="rewritten" if i == 2 else "").canonical()
        frontier = frontier.grown([leaf_hash(body)])
        lines.append(json.dumps({"i": i, "e": body.decode()}))
    lines.append(json.dumps({"head": sign_head(size=6, root=frontier.root(), signed_at=NOW, private_key=PRIVATE).note}))
    assert rules(lines) == set()
    assert "rewritten" in rules(lines, kept)


def test_a_head_of_another_key_or_with_an_altered_size_is_refused() -> None:
    lines = export(3, (3,))
    forged = sign_head(size=3, root=bytes(32), signed_at=NOW, private_key=bytes(32))
    assert "bad_head" in rules([*lines[:3], json.dumps({"head": forged.note})])
    assert "bad_head" in rules([*lines[:3], lines[3].replace("\\n3\\n", "\\n2\\n")])


@given(st.lists(st.one_of(st.text(), st.just('{"i":0,"e":"x"}'), st.just('{"head":"a"}')), max_size=30))
def test_any_lines_give_a_report(lines: list[str]) -> None:
    verify_export(lines, public_key=PUBLIC)


@given(st.binary(max_size=200))
def test_any_octets_are_an_entry_or_one_error(octets: bytes) -> None:
    try:
        AuditEntry.from_canonical(octets)
    except BadAuditEntryError:
        return


@given(st.text(max_size=300))
def test_any_note_is_a_head_or_one_error(note: str) -> None:
    with pytest.raises(BadTreeHeadError):
        verify_head(note, public_key=PUBLIC)


def test_an_entry_reads_back_as_itself_and_commits_to_every_field() -> None:
    one = entry(1)
    assert AuditEntry.from_canonical(one.canonical()) == one
    assert entry(1, note="x").canonical() != one.canonical()
    assert entry(1).canonical() == one.canonical()


def test_the_verifier_key_travels_as_text() -> None:
    assert read_verifier_key(verifier_key(PUBLIC) + "\n") == PUBLIC
    with pytest.raises(BadTreeHeadError):
        read_verifier_key("openami.audit.v1+00+AAAA")
