"""Rating: usage and a rate into a bill's lines. Pure: no clock, no files, no database."""

from openami.billing.rating.carried import Carried
from openami.billing.rating.determinant import Determinants, determinants
from openami.billing.rating.errors import UsageError
from openami.billing.rating.line import BillLine, LineKind, RatedBill, Stamp, StampCode
from openami.billing.rating.rate import rate
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import BillSpan, Usage, calendar_months

__all__ = [
    "BillLine",
    "BillSpan",
    "BillTerms",
    "Carried",
    "Determinants",
    "LineKind",
    "RatedBill",
    "Stamp",
    "StampCode",
    "Usage",
    "UsageError",
    "calendar_months",
    "determinants",
    "rate",
]
