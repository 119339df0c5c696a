"""How a place's daily energy answers to the weather: a straight line on degree days, fitted to its own year.

Ordinary least squares of the energy of measured days on heating and cooling degree days, of both or of one, over a grid
of bases. A candidate with a negative slope is no candidate, a slope needs ten days and twenty degree days, and of the
rest the best adjusted R² is taken. Source: CalTRACK methods 2.0 with daily data, sections 2.2 (90 % of 365 days) and
3.2 to 3.4 (grid of balance points, candidates), and its reference code, eemeter, for the least degree days; here the
grid is coarser and narrower (44 to 76 °F by 4 °F, where homes are).

The line is used only where it explains at least half of what the days differ by. IPMVP Core Concepts calls an R² a
first look and the standard error the measure, so what is given is a range: with other weather and nothing else the
energy of two bills differs by an amount in it, 9 times in 10. It holds the error of the slopes and what days differ by
beside the weather, with the number of days reduced by how alike neighbors' residuals are, ``n' = n (1 - r) / (1 + r)``
(ASHRAE Guideline 14-2014, annex B).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

F64: TypeAlias = npt.NDArray[np.float64]

WANTED_DAYS = 328
"""90 % of a year: less has not seen every season."""
WANTED_R_SQUARED = 0.5
BASES_F = tuple(range(44, 77, 4))
_WANTED_EFFECTIVE_DAYS = 30.0
_NON_ZERO_DAYS, _TOTAL_DEGREE_DAYS = 10, 20.0
_NINETY_PERCENT = 1.645


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """A fitted line.

    Args:
        days: how many days it stands on.
        heating_base_f, cooling_base_f: bases of its degree days [°F]; None where it has none of the kind.
        coefficients_wh: energy of a day without degree days, then for one degree day of each kind it has [Wh].
        covariance: of the coefficients, neighbors' likeness counted in.
        residual_wh2: variance of a day beside the line, the same counted in.
        r_squared: share of what the days differ by that the line explains.
    """

    days: int
    heating_base_f: int | None
    cooling_base_f: int | None
    coefficients_wh: F64
    covariance: F64
    residual_wh2: float
    r_squared: float

    def difference_wh(self, now_f: F64, then_f: F64, days: int) -> tuple[float, float]:
        """Return the range of the energy of some days less that of as many others, by weather alone [Wh].

        Args:
            now_f: mean temperatures of the days that have one [°F], at least one.
            then_f: the same of the others.
            days: how many days the first have.
        """
        bases = self.heating_base_f, self.cooling_base_f
        now, then = (design_of(t, *bases).mean(axis=0) for t in (now_f, then_f))
        change = days * (now - then)
        variance = float(change @ self.covariance @ change) + self.residual_wh2 * (days + days**2 / len(then_f))
        middle, error = float(change @ self.coefficients_wh), _NINETY_PERCENT * variance**0.5
        return middle - error, middle + error


@dataclass(frozen=True, slots=True)
class NoResponse:
    """Why nothing can be said, in words that follow a colon; in small print, the figure behind it."""

    reason: str
    note: str = ""


def response_of(energy_wh: Sequence[int], mean_f: Sequence[float]) -> Response | NoResponse:
    """Fit the line.

    Args:
        energy_wh: of each day, of one customer, in the order of time.
        mean_f: (as many) mean temperature of the same days [°F].
    """
    if len(energy_wh) < WANTED_DAYS:
        whole = f"{len(energy_wh)} measured days with a temperature come before it"
        return NoResponse(f"{whole}, and {WANTED_DAYS} are wanted to have seen every season")
    energy, air = np.array(energy_wh, np.float64), np.array(mean_f, np.float64)
    if float(np.ptp(energy)) == 0:
        return NoResponse("every day had the same energy")
    fits = [f for f in (_fit(energy, air, *bases) for bases in _candidates()) if f is not None]
    best = max(fits, key=_adjusted, default=None)
    if best is None or best.r_squared < WANTED_R_SQUARED:
        found = 0.0 if best is None else max(best.r_squared, 0.0)
        loose = "from day to day the electricity here follows the temperature too loosely"
        return NoResponse(loose, f"R² {found:.2f}; at least {WANTED_R_SQUARED} is wanted.")
    return best


def design_of(mean_f: F64, heating_base_f: int | None, cooling_base_f: int | None) -> F64:
    """Return (days, 1 to 3): one, then the degree days of each kind that has a base."""
    columns = [np.ones(len(mean_f))]
    if heating_base_f is not None:
        columns.append(np.maximum(heating_base_f - mean_f, 0.0))
    if cooling_base_f is not None:
        columns.append(np.maximum(mean_f - cooling_base_f, 0.0))
    return np.column_stack(columns)


def _candidates() -> Iterator[tuple[int | None, int | None]]:
    """Yield bases: heating alone, cooling alone, both with the heating base not above the cooling base."""
    for base in BASES_F:
        yield base, None
        yield None, base
        yield from ((base, other) for other in BASES_F if other >= base)


def _fit(energy: F64, air: F64, heating_base_f: int | None, cooling_base_f: int | None) -> Response | None:
    """Return the line; None where a slope stands on too little, is negative, or the days are too alike."""
    design = design_of(air, heating_base_f, cooling_base_f)
    degrees = design[:, 1:]
    if (np.count_nonzero(degrees, axis=0) < _NON_ZERO_DAYS).any() or (degrees.sum(axis=0) < _TOTAL_DEGREE_DAYS).any():
        return None
    count, width = design.shape
    solved, _, rank, _ = np.linalg.lstsq(design, energy, rcond=None)
    found: F64 = np.asarray(solved, np.float64)
    if rank < width or (found[1:] < 0).any():
        return None
    residual = energy - design @ found
    squares, total = float(residual @ residual), float(((energy - energy.mean()) ** 2).sum())
    share = _independence(residual, squares)
    if count * share < _WANTED_EFFECTIVE_DAYS:
        return None
    variance = squares / (count - width) / share
    covariance = variance * np.linalg.inv(design.T @ design)
    return Response(count, heating_base_f, cooling_base_f, found, covariance, variance, 1 - squares / total)


def _independence(residual: F64, squares: float) -> float:
    """Return what share of the days is as good as independent: 1 where neighbors' residuals have nothing in common."""
    alike = 0.0 if squares == 0 else float(residual[1:] @ residual[:-1]) / squares
    return (1 - alike) / (1 + alike) if alike > 0 else 1.0


def _adjusted(fit: Response) -> float:
    slopes = len(fit.coefficients_wh) - 1
    return 1 - (1 - fit.r_squared) * (fit.days - 1) / (fit.days - slopes - 1)
