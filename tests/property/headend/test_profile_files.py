"""Whatever stands in a profile file, it is a profile or a list of problems, and the same each time."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from openami.headend.profiles import MeterProfile, load_profiles
from openami.headend.profiles.registry import ProfileDataError
from openami.headend.profiles.schema import KNOWN_KEYS
from openami.headend.profiles.toml_reader import ProfileProblem

OBIS = ["1.0.1.8.0.255", "0.0.1.0.0.255", "0.1.25.9.0.255", "0.0.97.98.0.255", "1.0.1.8", "300.0.1.8.0.255"]
WORDS = ["dlms", "odd", "load_profile", "alarms", "instant", "range", "reversed", "any", "0", "5", "4, 5", "9-4", ""]
WORDS += ["230-249", "70000", "LGZ", "2f19", "delivered", "voltage", "cover_opened", "public"]
SECTIONS = {
    "layout": ["kind", "push_setup", "interval_s", "columns", "objects"],
    "recognize": ["maker", "title", "list_version", "push_setup", "captures"],
    "read": ["name", "obis", "capture_period_s", "columns", "selective_access"],
    "clock": ["deviation", "trusts_status"],
}
texts = st.sampled_from(OBIS + WORDS) | st.text(st.characters(codec="ascii"), max_size=8)
atoms = st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    atoms, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
lists = st.lists(st.sampled_from(OBIS), min_size=1, max_size=2)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A few keys that are known, some tables nearly as they should be."""
    document = draw(st.dictionaries(st.sampled_from([*sorted(KNOWN_KEYS), "unknown"]), values, max_size=3))
    for section in draw(st.lists(st.sampled_from(sorted(SECTIONS)), max_size=2, unique=True)):
        keys = draw(st.lists(st.sampled_from(SECTIONS[section]), min_size=1, max_size=4, unique=True))
        table = {key: draw(draw(st.sampled_from([lists, atoms, values]))) for key in keys}
        document[section] = table if section == "clock" else [table]
    return document


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    return json.dumps(value).replace("\\u007f", "\\u007F")


def problems_of(texts_of: dict[str, str]) -> tuple[dict[str, MeterProfile], tuple[ProfileProblem, ...]]:
    try:
        return dict(load_profiles(texts_of)), ()
    except ProfileDataError as error:
        return {}, error.problems


@settings(max_examples=300, deadline=None)
@given(documents())
def test_any_file_is_a_profile_or_a_list_of_problems(document: dict[str, Any]) -> None:
    text = "".join(f"{key} = {toml(value)}\n" for key, value in document.items())
    profiles, problems = problems_of({"dlms": "", "odd": text})
    assert (set(profiles) == {"dlms", "odd"}) != bool(problems)
    assert all(p.file == "odd.toml" and p.key and p.what and p.mend for p in problems)
    assert (profiles, problems) == problems_of({"odd": text, "dlms": ""})


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_profile_or_a_list_of_problems(text: str) -> None:
    profiles, problems = problems_of({"odd": text})
    assert (set(profiles) == {"odd"}) != bool(problems)
