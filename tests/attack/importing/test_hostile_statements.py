"""What strangers and customers are called stands on a statement as written, or the statement is set without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.billing.statement.made import made_facts

from openami.billing.statement.make import statement_of
from openami.billing.statement.setting import SettingError, pdf_of

pytestmark = pytest.mark.attack("A21")
STATEMENT = statement_of(made_facts())
MARKUP = '#read("/etc/passwd") #import "@preview/x:0.1.0" $ \\ ] [ #{panic()}'


@pytest.mark.parametrize("words", [MARKUP, "W" * 2000, "a\n" * 900], ids=["markup", "one long word", "lines"])
def test_words_are_never_markup_and_never_stop_the_setting(words: str) -> None:
    evil = replace(STATEMENT, rate_name=words, title=words, addressee=(words,), fixed=(words,), rules=(words,))
    assert pdf_of(evil).startswith(b"%PDF")


@pytest.mark.parametrize("name", ["李明", "\U0001f600", "Zo\x00", "\ud800"])
def test_a_customer_whose_name_our_letters_cannot_show_gets_the_bill_without_it(name: str) -> None:
    named = replace(STATEMENT, addressee=(name, "12 Elm Street"))
    assert pdf_of(named) == pdf_of(replace(STATEMENT, addressee=("12 Elm Street",)))


@pytest.mark.parametrize("words", ["\ud800", "a\x00b"])
def test_what_cannot_be_set_is_refused_in_words_that_repeat_nothing_of_it(words: str) -> None:
    with pytest.raises(SettingError) as refused:
        pdf_of(replace(STATEMENT, rate_name=f"Secret {words}"))
    assert "Secret" not in str(refused.value)
