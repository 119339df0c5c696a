"""A profile file inherits what it does not say, and one that is wrong says where and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from openami.contracts.channel import Channel
from openami.contracts.event import EventKind
from openami.headend.profiles import load_profiles, profile_names, profile_of
from openami.headend.profiles.model import (
    ClockRule,
    DeviationRule,
    ReadableProfile,
    Scale,
    SelectiveAccess,
)
from openami.headend.profiles.registry import (
    MAX_INHERITANCE,
    ProfileDataError,
    UnknownProfileError,
    shipped_profiles,
)
from openami.headend.profiles.schema import KNOWN_KEYS
from openami.kernel.obis import Obis

BROKEN = sorted((Path(__file__).parent / "broken_profiles").glob("*.toml"))
A_PLUS = Obis.from_text("1.0.1.8.0.255")
VOLTAGE = Obis.from_text("1.0.32.7.0.255")
STANDARD = """
[scale]
"1.0.1.8.0.255" = [0, 30]
"1.0.32.7.0.255" = [-1, 35]
[registers]
"1.0.1.8.0.255" = "delivered"
[events.any]
44 = "cover_opened"
47 = "authentication_failed"
[[recognize]]
maker = "AAA"
[[read]]
name = "load_profile"
obis = "1.0.99.1.0.255"
capture_period_s = 900
selective_access = ["range", "entry"]
"""


def lines_of(file: Path) -> tuple[str, str]:
    says, mend = file.read_text().splitlines()[:2]
    return says.removeprefix("# says: "), mend.removeprefix("# mend: ")


@pytest.mark.parametrize("file", BROKEN, ids=lambda f: f.stem)
def test_a_broken_file_names_file_key_and_mend(file: Path) -> None:
    says, mend = lines_of(file)
    with pytest.raises(ProfileDataError) as caught:
        load_profiles({"dlms": "", file.stem: file.read_text()})
    (problem,) = [p for p in caught.value.problems if says in f"{p.key}: {p.what}"] or [caught.value.problems[0]]
    assert says in f"{problem.key}: {problem.what}", caught.value
    assert mend in problem.mend
    assert problem.file == file.name
    assert str(problem) in str(caught.value)


def test_every_problem_of_every_file_is_told_at_once() -> None:
    texts = {"dlms": "", **{f.stem: f.read_text() for f in BROKEN}}
    with pytest.raises(ProfileDataError) as caught:
        load_profiles(texts)
    assert {p.file for p in caught.value.problems} == {f.name for f in BROKEN}


def test_a_child_keeps_what_it_does_not_say_and_replaces_what_it_does() -> None:
    model = 'inherits = "maker"\n[scale]\n"1.0.32.7.0.255" = [0, 35]\n[events.any]\n47 = "configuration_changed"\n'
    firmware = (
        'inherits = "model"\nmain_b = [1]\n[clock]\ndeviation = "reversed"\n'
        '[[read]]\nname = "load_profile"\nobis = "1.0.99.1.0.255"\ncapture_period_s = 3600\n'
    )
    texts = {"standard": STANDARD, "maker": 'inherits = "standard"', "model": model, "firmware": firmware}
    profiles = load_profiles(texts)
    child = profiles["firmware"]
    assert child.parents == ("model", "maker", "standard")
    assert (child.scale_of(A_PLUS), child.scale_of(VOLTAGE)) == (Scale(0, 30), Scale(0, 35))
    assert child.register_channel(Obis.from_text("1.1.1.8.0.255")) is Channel.DELIVERED
    assert (child.event(1, 44), child.event(1, 47)) == (EventKind.COVER_OPENED, EventKind.CONFIGURATION_CHANGED)
    assert child.clock == ClockRule(DeviationRule.REVERSED)
    assert child.reads["load_profile"].capture_period_s == 3600
    assert child.recognitions == ()
    parent = profiles["model"]
    assert parent.reads["load_profile"].selective_access == {SelectiveAccess.RANGE, SelectiveAccess.ENTRY}
    assert profiles["standard"].scale_of(VOLTAGE) == Scale(-1, 35)


def test_a_layout_of_a_child_takes_the_place_of_its_parents() -> None:
    rows = (
        '[[layout]]\nkind = "registers"\npush_setup = "0.2.25.9.0.255"\ncolumns = ["0.0.1.0.0.255", "1.0.1.8.0.255"]\n'
    )
    listed = (
        'inherits = "a"\n[[layout]]\npush_setup = "0.2.25.9.0.255"\nobjects = ["0.2.25.9.0.255", "1.0.1.8.0.255"]\n'
    )
    profiles = load_profiles({"a": rows, "b": listed, "c": 'inherits = "b"\n' + rows})
    setup = Obis.from_text("0.2.25.9.0.255")
    assert (setup in profiles["a"].rows, setup in profiles["a"].listed) == (True, False)
    assert (setup in profiles["b"].rows, setup in profiles["b"].listed) == (False, True)
    assert (setup in profiles["c"].rows, setup in profiles["c"].listed) == (True, False)


def test_a_circle_of_three_names_them() -> None:
    texts = {name: f'inherits = "{parent}"' for name, parent in (("a", "b"), ("b", "c"), ("c", "a"))}
    with pytest.raises(ProfileDataError, match="a circle: a -> b -> c -> a"):
        load_profiles(texts)


def test_the_longest_chain_is_taken_and_one_more_is_refused() -> None:
    texts = {"p0": "", **{f"p{n}": f'inherits = "p{n - 1}"' for n in range(1, MAX_INHERITANCE)}}
    assert len(load_profiles(texts)[f"p{MAX_INHERITANCE - 1}"].parents) == MAX_INHERITANCE - 1
    texts[f"p{MAX_INHERITANCE}"] = f'inherits = "p{MAX_INHERITANCE - 1}"'
    with pytest.raises(ProfileDataError, match=f"more than {MAX_INHERITANCE} deep"):
        load_profiles(texts)


def test_a_file_without_end_is_refused_by_its_size() -> None:
    with pytest.raises(ProfileDataError, match="split it into a parent and a child"):
        load_profiles({"huge": "# " + "x" * 200_000})


def test_loading_is_once_and_the_same_each_time() -> None:
    assert shipped_profiles() is shipped_profiles()
    assert profile_of("oam-1") is profile_of("oam-1")
    texts = {"dlms": STANDARD, "b": 'inherits = "dlms"', "a": 'inherits = "b"'}
    forward, backward = load_profiles(texts), load_profiles(dict(reversed(texts.items())))
    assert list(forward) == list(backward) == ["a", "b", "dlms"]
    assert forward == backward


def test_what_is_shipped_is_sound_and_says_what_it_is_for() -> None:
    assert {"dlms", "idis", "dsmr", "smr", "is15959", "spain", "oam-1"} <= set(profile_names())
    for name in profile_names():
        assert profile_of(name).about, name


def test_a_profile_cannot_be_changed_by_who_reads_it() -> None:
    with pytest.raises(TypeError):
        profile_of("oam-1").scale[A_PLUS] = Scale(3, 30)  # type: ignore[index]


def test_an_unknown_profile_is_named_with_those_that_are() -> None:
    with pytest.raises(UnknownProfileError, match=r"'oam-2'.*oam-1"):
        profile_of("oam-2")


def test_the_worked_example_of_the_manual_works() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "protocol" / "meter-profiles.md").read_text()
    first, second = re.findall(r"```toml\n(.*?)```", manual, re.DOTALL)
    folder = files("openami.headend.profiles") / "data"
    shipped = {n: (folder / f"{n}.toml").read_text() for n in profile_names()}
    profiles = load_profiles({**shipped, "acme-m3": first, "acme-m3-2": second})
    child = profiles["acme-m3-2"]
    assert child.parents == ("acme-m3", "idis", "nta", "dlms")
    assert child.scale_of(Obis.from_text("1.0.1.29.0.255")) == Scale(1, 30)
    assert child.intervals[Obis.from_text("1.0.12.27.0.255")] is Channel.VOLTAGE
    assert child.event(1, 240) is EventKind.COVER_OPENED
    assert child.event(0, 240) is EventKind.MANUFACTURER_SPECIFIC
    assert child.about == "Acme M3 from firmware 2"
    with pytest.raises(ProfileDataError) as caught:
        load_profiles({**shipped, "lg-e450": 'inherits = "lg"\n[scale]\n"1.0.32.7.0.255" = [0, "V"]\n'})
    assert str(caught.value) in manual


def test_the_manual_names_every_key() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "protocol" / "meter-profiles.md").read_text()
    for key in KNOWN_KEYS:
        assert re.search(rf"^\|.*[`\[]{key}[`\]. ]", manual, re.MULTILINE), key


def readables() -> Iterator[tuple[str, int]]:
    yield from (("load_profile", 900), ("daily_profile", 86_400), ("billing_profile", 0), ("power_failure_log", 0))
    logs = ("standard", "fraud", "disconnector", "power_quality", "communication")
    yield from ((f"{log}_log", 0) for log in logs)


@pytest.mark.parametrize(("name", "period_s"), list(readables()))
def test_our_meter_says_which_profiles_can_be_read_in_part(name: str, period_s: int) -> None:
    found: ReadableProfile = profile_of("oam-1").reads[name]
    assert found.capture_period_s == period_s
    assert found.selective_access == {SelectiveAccess.RANGE, SelectiveAccess.ENTRY}
