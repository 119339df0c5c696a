"""Bills as kept: made from validated days, held with a reason, never rewritten."""

from openami.billing.bill.record import Assignment, Bill, BillState, Correction, KeptLine

__all__ = ["Assignment", "Bill", "BillState", "Correction", "KeptLine"]
