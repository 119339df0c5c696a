"""The PDF: tagged so that a screen reader can read it, and the same bytes for the same statement anywhere."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader
from pypdf.generic import ContentStream, DictionaryObject
from tests.unit.billing.statement.made import made_facts

from openami.billing.statement.make import statement_of
from openami.billing.statement.record import StatementLine
from openami.billing.statement.setting import SettingError, pdf_of, picture_of

STATEMENT = statement_of(made_facts())
OCTETS = pdf_of(STATEMENT)
READER: Any = PdfReader(io.BytesIO(OCTETS))
ROOT: Any = READER.trailer["/Root"]


def _nodes(node: Any) -> list[Any]:
    node = node.get_object()
    if isinstance(node, list):
        return [n for kid in node for n in _nodes(kid)]
    if not isinstance(node, DictionaryObject) or "/S" not in node:
        return []
    return [node, *(_nodes(node["/K"]) if "/K" in node else [])]


TAGS = _nodes(ROOT["/StructTreeRoot"]["/K"])


def test_it_says_that_it_is_pdf_ua_1_with_title_language_and_tags() -> None:
    metadata = ROOT["/Metadata"].get_data()
    assert b"<pdfuaid:part>1</pdfuaid:part>" in metadata
    assert b"<pdfaid:part>2</pdfaid:part>" in metadata, "and it can be kept for decades"
    assert ROOT["/MarkInfo"]["/Marked"]
    assert ROOT["/Lang"] == "en-US"
    assert ROOT["/ViewerPreferences"]["/DisplayDocTitle"]
    assert READER.metadata.creation_date == STATEMENT.made_at, "the document is as old as its bill"
    assert READER.metadata.title == "Electricity bill, Sun 20 Sep to Mon 19 Oct 2026"


def test_every_picture_has_words_and_they_hold_the_figures() -> None:
    figures = [str(t.get("/Alt", "")) for t in TAGS if t["/S"] == "/Figure"]
    assert figures == [STATEMENT.chart_words, STATEMENT.history_words]


def test_tables_have_header_cells_with_a_scope_and_headings_skip_no_level() -> None:
    heads = [t for t in TAGS if t["/S"] == "/TH"]
    assert len(heads) >= 12
    for cell in heads:
        attributes = cell["/A"].get_object()
        found = attributes if isinstance(attributes, list) else [attributes]
        assert any("/Scope" in a.get_object() for a in found)
    levels = [int(str(t["/S"])[2:]) for t in TAGS if str(t["/S"]) in {"/H1", "/H2", "/H3"}]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_all_that_is_drawn_is_tagged_or_named_as_decoration() -> None:
    for page in READER.pages:
        depth = 0
        for operands, operator in ContentStream(page.get_contents(), READER).operations:
            if operator in {b"BDC", b"BMC"}:
                depth += 1
            elif operator == b"EMC":
                depth -= 1
            elif operator in {b"Tj", b"TJ", b"f", b"S", b"B", b"Do", b"sh"}:
                assert depth > 0, f"{operator!r} {operands} is outside of every tag"


def test_fonts_are_inside_and_its_letters_can_be_copied() -> None:
    fonts = [f.get_object() for p in READER.pages for f in p["/Resources"]["/Font"].values()]
    assert all("/ToUnicode" in f for f in fonts)
    for font in fonts:
        descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor)
    text = " ".join(p.extract_text() for p in READER.pages)
    assert STATEMENT.total in text
    assert "Summer on-peak" in text


def test_the_bytes_do_not_depend_on_machine_zone_language_or_folder(tmp_path: Path) -> None:
    program = (
        "import hashlib; from openami.billing.statement.make import statement_of;"
        "from openami.billing.statement.setting import pdf_of;"
        "from tests.unit.billing.statement.made import made_facts;"
        "print(hashlib.sha256(pdf_of(statement_of(made_facts()))).hexdigest())"
    )
    paths = os.pathsep.join(str(Path(p).resolve()) for p in ("src", "."))
    odd = {"TZ": "Asia/Kathmandu", "LANG": "de_DE.UTF-8", "SOURCE_DATE_EPOCH": "1", "TYPST_FONT_PATHS": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, **odd, "PYTHONPATH": paths},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ran.stdout.strip() == hashlib.sha256(OCTETS).hexdigest()
    assert pdf_of(STATEMENT) == OCTETS


def test_an_instant_that_a_database_gives_in_a_named_zone_is_the_same_instant() -> None:
    for zone in ("UTC", "America/Chicago"):
        assert pdf_of(replace(STATEMENT, made_at=STATEMENT.made_at.astimezone(ZoneInfo(zone)))) is not None
    named = replace(STATEMENT, made_at=STATEMENT.made_at.astimezone(ZoneInfo("UTC")).replace(microsecond=4711))
    assert pdf_of(replace(named, made_at=named.made_at.replace(microsecond=0))) == OCTETS


def test_another_cent_is_another_document() -> None:
    assert pdf_of(replace(STATEMENT, total="$0.01")) != OCTETS


@pytest.mark.parametrize(
    "text", ['#read("/etc/passwd")', "#panic()", "*bold* $x$ _y_ @label <label>", "]) #set page()"]
)
def test_a_name_of_somebodys_text_is_printed_and_never_run(text: str) -> None:
    group = replace(STATEMENT.groups[0], lines=(StatementLine(text, "", "", "$1.00"),))
    octets = pdf_of(replace(STATEMENT, groups=(group,), rate_name=text, addressee=(text,)))
    words = "".join(p.extract_text() for p in PdfReader(io.BytesIO(octets)).pages)
    assert words.replace(" ", "").count(text.replace(" ", "")) == 3


def test_a_statement_beyond_reason_is_refused_and_a_page_that_is_not_there() -> None:
    with pytest.raises(SettingError, match="limit"):
        pdf_of(replace(STATEMENT, rules=("x" * 1_000_001,)))
    with pytest.raises(SettingError, match="2 pages"):
        picture_of(STATEMENT, page=5)
    assert picture_of(STATEMENT).startswith(b"\x89PNG")
