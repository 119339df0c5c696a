"""The page about the meter's objects says what the meter has."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.meter.made import meter

PAGE = Path(__file__).parents[3] / "docs" / "protocol" / "meter-objects.md"
NAME = re.compile(r"\b\d+\.\d+\.\d+\.\d+\.\d+\b")


def rows() -> list[list[str]]:
    text = PAGE.read_text().split("## Objects")[1].split("## Events")[0]
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    return [row for row in cells if row[0][0].isdigit()]


def test_every_object_is_on_the_page_with_its_class_and_what_can_be_written_and_called() -> None:
    device = meter().device
    said = {}
    for kind, names, write, call in rows():
        for name in NAME.findall(names):
            assert name not in said
            said[name] = (int(kind.split()[0]), {int(n) for n in re.findall(r"\d+", write)}, call)
    current = next(o for o, _ in device.attributes() if str(o.instance) == "0.0.40.0.0.255")
    found = {}
    for item in (current, *device.objects):
        written = {a.index for a in item.attributes.values() if a.writing is not None}
        found[str(item.instance).removesuffix(".255")] = (item.class_id, written, item.methods)
    assert set(said) == set(found)
    for name, (class_id, written, methods) in found.items():
        assert said[name][:2] == (class_id, written)
        if class_id != 15:
            assert {int(n) for n in re.findall(r"\d+", said[name][2])} == set(methods)
