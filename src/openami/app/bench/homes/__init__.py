"""Real homes for measuring: metered series that others published, read out of packages and cached as plain arrays.

Nothing of these packages is shipped, imported or run: ``make homes`` takes one file of numbers out of each. Half of the
homes are for tuning and half are held out; the split was thrown once and never looks at a series.
"""

from openami.app.bench.homes.cache import HomesUnavailableError, load_homes
from openami.app.bench.homes.home import Half, Home

__all__ = ["Half", "Home", "HomesUnavailableError", "load_homes"]
