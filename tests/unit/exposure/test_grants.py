"""Radios of meter models come from files; a file that is wrong says where and what to write."""

from __future__ import annotations

import pytest

from openami.headend.profiles import profile_of
from openami.network.exposure import ExposureError, Reflection
from openami.network.exposure.grant import own_texts, radio_grants, radios_of
from openami.network.exposure.household import household

GOOD = """
[[radio]]
name = "Mesh radio"
does = "talks"
meters = ["acme-9"]
power_w = 0.5
gain_dbi = 0
low_mhz = 902
high_mhz = 928
grant = "ABC123"
"""


def test_the_programs_own_file_speaks_of_our_own_meter_and_of_those_that_inherit_from_it() -> None:
    grants = radio_grants(own_texts())
    for name in ("oam-1", "oam-6"):
        (radio,) = radios_of(grants, (name, *profile_of(name).parents))
        assert (radio.emitter.power_w, radio.low_mhz, radio.high_mhz) == (1.0, 902.0, 928.0)


def test_the_stricter_end_of_the_band_is_judged() -> None:
    (radio,) = radio_grants({"a.toml": GOOD})
    assert radio.emitter.frequency_mhz == 902


def test_a_utilitys_file_comes_before_the_programs() -> None:
    grants = radio_grants({"own.toml": GOOD, "theirs.toml": GOOD.replace("0.5", "0.25")})
    assert [r.emitter.power_w for r in radios_of(grants, ["acme-9"])] == [0.25]


def test_a_model_that_no_file_speaks_of_has_no_known_radio() -> None:
    assert radios_of(radio_grants({"a.toml": GOOD}), ["other", "dlms"]) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("power_w = 0.5", "power_w = -1", "power -1.0 W"),
        ("power_w = 0.5", 'power_w = "0.5"', "power_w: give a number"),
        ("power_w = 0.5", "", "power_w: missing"),
        ("gain_dbi = 0", "gain_dbi = true", "gain_dbi: give a number"),
        ("high_mhz = 928", "high_mhz = 90", "high_mhz: give at least"),
        ("low_mhz = 902", "low_mhz = 0.001", "1.1310"),
        ('meters = ["acme-9"]', "meters = []", "meters: give a list"),
        ('name = "Mesh radio"', 'name = ""', "name: give a text"),
        ("[[radio]]", "[radio]", r"\[\[radio\]\]"),
        ("[[radio]]", "[[radio", "no TOML"),
        ("[[radio]]", "color = 1\n[[radio]]", "nothing else"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_mend(old: str, new: str, said: str) -> None:
    with pytest.raises(ExposureError, match=said) as raised:
        radio_grants({"theirs.toml": GOOD.replace(old, new, 1)})
    assert str(raised.value).startswith("theirs.toml")


def test_each_device_at_home_has_a_source_and_the_strongest_comes_first() -> None:
    devices = household()
    assert [d.share for d in devices] == sorted((d.share for d in devices), reverse=True)
    assert all(d.source for d in devices)
    wifi = next(d for d in devices if not d.is_measured)
    assert f"{wifi.share * 100:.2f}" == "0.13"
    assert household(Reflection.GROUND)[-1].share == pytest.approx(wifi.share * 2.56)
