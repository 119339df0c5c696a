"""Rating: usage and a rate into a bill's lines. Pure: no clock, no files, no database."""

from openami.billing.rating.determinant import Determinants, determinants
from openami.billing.rating.errors import UsageError
from openami.billing.rating.rate import BillLine, LineKind, RatedBill, rate
from openami.billing.rating.usage import BillSpan, Usage, calendar_months

__all__ = [
    "BillLine",
    "BillSpan",
    "Determinants",
    "LineKind",
    "RatedBill",
    "Usage",
    "UsageError",
    "calendar_months",
    "determinants",
    "rate",
]
