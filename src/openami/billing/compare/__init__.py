"""Rate comparison. See :mod:`openami.billing.compare.comparison`."""

from openami.billing.compare.advice import Advice, AdviceKind
from openami.billing.compare.comparison import Comparison, compare_rates
from openami.billing.compare.outcome import RateOutcome, YearRange

__all__ = ["Advice", "AdviceKind", "Comparison", "RateOutcome", "YearRange", "compare_rates"]
