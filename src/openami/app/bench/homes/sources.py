"""Where the homes come from: package, version, file, licence, and what must be known to read it rightly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openami.app.bench.homes import reading
from openami.app.bench.homes.home import Home


@dataclass(frozen=True, slots=True)
class Source:
    """A package that carries metered homes.

    Args:
        name: ours.
        package: name in the package index, or "" where the file is in the folder of shared data.
        version: the one version whose file was looked at.
        licence: of the data, as far as it is stated.
        is_open: whether the licence lets anyone use the data. Where not, the homes are a measure on one's own machine,
            installed only when asked for, and no series may be passed on.
        read: reads the homes out of the folder that the package (or shared data) was put into.
    """

    name: str
    package: str
    version: str
    licence: str
    is_open: bool
    read: Callable[[Path], list[Home]]


SOURCES = (
    Source("opendsm", "opendsm", "1.2.7", "Apache-2.0", True, reading.read_opendsm),
    Source("energydata", "EnergyData", "0.0.2", "CC BY 4.0 (UCI, Hebrail and Berard)", True, reading.read_energydata),
    Source("nem12", "", "", "MIT (nem-reader)", True, reading.read_nem12),
    Source("htw", "vpplib", "0.0.6", "likely CC BY-NC 4.0 (HTW Berlin 2015)", False, reading.read_htw),
)
"""opendsm: three British homes, half-hours and hours. EnergyData: one French home by the minute, with voltage. nem12: a
month of an Australian home with a roof. htw: 74 German homes, a year of quarter-hours; the package that carries them is
GPL-3.0 and is neither imported nor run."""
