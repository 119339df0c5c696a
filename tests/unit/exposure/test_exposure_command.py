"""``openami exposure``: one document for scripts, one table for people."""

from __future__ import annotations

import json
import math

import pytest
import typer
from typer.testing import CliRunner

from openami.app.commands.exposure import exposure
from openami.kernel.errors import MisuseError
from openami.network.exposure import ExposureError

app = typer.Typer()
app.command()(exposure)
ARGUMENTS = ["--power-w", "1", "--gain-dbi", "2.15", "--distance-m", "0.5", "--frequency-mhz", "915"]


@pytest.mark.parametrize(
    ("more", "factor", "duty"),
    [
        ([], 1.0, 1.0),
        (["--duty", "0.01", "--reflection", "none"], 1.0, 0.01),
        (["--duty", "2.5%", "--reflection", "ground"], 2.56, 0.025),
        (["--duty", "0", "--reflection", "full"], 4.0, 0.0),
    ],
)
def test_the_document_holds_density_limit_and_share(more: list[str], factor: float, duty: float) -> None:
    result = CliRunner().invoke(app, [*ARGUMENTS, *more, "--json"])
    document = json.loads(result.stdout)
    density = 10**0.215 / (4 * math.pi * 0.25) * 100 * factor
    assert result.exit_code == 0
    assert document["density_uw_cm2"] == pytest.approx(density, rel=1e-9)
    assert document["average_uw_cm2"] == pytest.approx(density * duty, rel=1e-9)
    assert document["limit_uw_cm2"] == pytest.approx(610)
    assert document["share_of_limit"] == pytest.approx(density * duty / 610, rel=1e-9)


def test_people_read_the_same_in_a_table_and_that_it_is_no_medical_advice() -> None:
    shown = CliRunner().invoke(app, [*ARGUMENTS, "--duty", "1%"]).stdout
    assert "52.22" in shown
    assert "no medical advice" in " ".join(shown.split())


def test_too_near_for_the_formula_is_said() -> None:
    arguments = [a if a != "0.5" else "0.1" for a in ARGUMENTS]
    document = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert document["far_field"] is False
    assert "upper guess" in document["notes"][0]


def test_a_duty_that_is_no_number_is_misuse() -> None:
    result = CliRunner().invoke(app, [*ARGUMENTS, "--duty", "seldom"])
    assert isinstance(result.exception, MisuseError)


def test_a_distance_within_the_reactive_zone_is_refused() -> None:
    arguments = [a if a != "0.5" else "0.01" for a in ARGUMENTS]
    assert isinstance(CliRunner().invoke(app, arguments).exception, ExposureError)
