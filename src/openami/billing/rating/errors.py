"""What rating refuses about usage; what it refuses about a rate is a ``TariffError``."""

from openami.kernel.errors import OpenAmiError


class UsageError(OpenAmiError):
    """Interval usage cannot be rated: wrong shape, negative energy, or out of order. The text says where."""
