"""What a commission's rules say of bills, as dated data with its statute and how sure we are of it."""

from openami.billing.jurisdiction.load import JurisdictionError, load_jurisdiction, shipped_jurisdiction
from openami.billing.jurisdiction.model import (
    Apportion,
    BillRules,
    Confidence,
    CorrectionRule,
    EstimateCause,
    EstimateRule,
    Jurisdiction,
    Origin,
    PeriodRule,
    TrueUpRule,
)

__all__ = [
    "Apportion", "BillRules", "Confidence", "CorrectionRule", "EstimateCause", "EstimateRule", "Jurisdiction",
    "JurisdictionError", "Origin", "PeriodRule", "TrueUpRule", "load_jurisdiction", "shipped_jurisdiction",
]  # fmt: skip
