"""Rates as data. See :mod:`openami.billing.tariff.model`."""

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.load import parse_rate, shipped_rates
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.values import demonstration_rates

__all__ = ["RateSchedule", "Tariff", "TariffError", "demonstration_rates", "parse_rate", "shipped_rates"]
