"""``openami exposure``: power density of a radio at a distance, against the limit for the general population."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from openami.kernel.errors import MisuseError
from openami.network.exposure import Emitter, Exposure, Reflection, expose

NOTE_NEAR = (
    "Nearer than 0.2 m the formula is only an upper guess: devices that near are judged by the power a body absorbs."
)
NOTE_LIMIT = (
    "The limit is an average over 30 minutes. It addresses established (thermal) effects. This is no medical advice."
)


def exposure(
    power_w: Annotated[float, typer.Option("--power-w", help="Power at the antenna [W].")],
    gain_dbi: Annotated[float, typer.Option("--gain-dbi", help="Antenna gain toward the person [dBi].")],
    distance_m: Annotated[float, typer.Option("--distance-m", help="From the antenna [m]; 1 ft is 0.3048 m.")],
    frequency_mhz: Annotated[float, typer.Option("--frequency-mhz", help="Frequency [MHz].")],
    duty: Annotated[
        str, typer.Option("--duty", help="Share of the worst 30 minutes on the air: 0.01 or 1%. Without it, always.")
    ] = "1",
    reflection: Annotated[
        Reflection,
        typer.Option(
            "--reflection", help="none: free space. ground: 60 % of the field comes back (x 2.56). full: all (x 4)."
        ),
    ] = Reflection.NONE,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compute power density by OET-65, S = P G / (4 pi R^2), against 47 CFR 1.1310 for the general population."""
    document = exposure_document(
        power_w=power_w, gain_dbi=gain_dbi, distance_m=distance_m, frequency_mhz=frequency_mhz, duty=duty_of(duty),
        reflection=reflection,
    )  # fmt: skip
    if json_output:
        print(json.dumps(document))
    else:
        _show(document)


def duty_of(text: str) -> float:
    """Return the share that a text such as ``0.01`` or ``1%`` means.

    Raises:
        MisuseError: no number.

    >>> duty_of("0.052 %") == duty_of("0.00052")
    True
    """
    written = text.strip()
    is_percent = written.endswith("%")
    try:
        number = float(written.removesuffix("%"))
    except ValueError as error:
        raise MisuseError(f"--duty {text!r} is no number: give a share such as 0.01, or 1%") from error
    return number / 100 if is_percent else number


def exposure_document(
    *, power_w: float, gain_dbi: float, distance_m: float, frequency_mhz: float, duty: float, reflection: Reflection
) -> dict[str, Any]:
    """Return the document that ``openami exposure --json`` prints.

    Raises:
        ExposureError: a value for which the formulas or the rule say nothing.
    """
    emitter = Emitter(power_w, gain_dbi, frequency_mhz)
    seen = expose(emitter, distance_m, duty=duty, reflection=reflection)
    return {
        "power_w": power_w,
        "gain_dbi": gain_dbi,
        "eirp_w": emitter.eirp_w,
        "distance_m": distance_m,
        "frequency_mhz": frequency_mhz,
        "duty": duty,
        "reflection": reflection.value,
        "reflection_factor": reflection.factor,
        "density_uw_cm2": seen.while_sending_uw_cm2,
        "average_uw_cm2": seen.average_uw_cm2,
        "limit_uw_cm2": seen.limit_uw_cm2,
        "share_while_sending": seen.share_while_sending,
        "share_of_limit": seen.share,
        "within_limit": seen.share <= 1,
        "far_field": seen.far_field,
        "notes": _notes(seen),
    }


def _notes(seen: Exposure) -> list[str]:
    return [NOTE_LIMIT] if seen.far_field else [NOTE_NEAR, NOTE_LIMIT]


def _show(document: dict[str, Any]) -> None:
    console = Console(markup=False, highlight=False)
    table = Table("", "µW/cm²", "of the limit", title=_title(document), title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("while sending", f"{document['density_uw_cm2']:.4g}", f"{document['share_while_sending']:.3%}")
    table.add_row(
        f"30-minute average at {document['duty'] * 100:.4g} % duty",
        f"{document['average_uw_cm2']:.4g}",
        f"{document['share_of_limit']:.4%}",
    )
    table.add_row("limit, 47 CFR 1.1310, general population", f"{document['limit_uw_cm2']:.4g}", "")
    console.print(table)
    for note in document["notes"]:
        console.print(note)


def _title(document: dict[str, Any]) -> str:
    words = {"none": "no reflection", "ground": "ground reflection (x 2.56)", "full": "full reflection (x 4)"}
    return (
        f"{document['power_w']:g} W, {document['gain_dbi']:g} dBi, {document['frequency_mhz']:g} MHz at "
        f"{document['distance_m']:g} m, {words[document['reflection']]}"
    )
