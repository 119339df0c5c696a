"""The dated billing calendar: on which local day each bill group is read, and to which month its bill counts."""

from openami.billing.calendar.cycle import (
    BUSINESS_DAYS,
    BusinessDayCalendar,
    CycleCalendar,
    DatedCalendar,
    ReadDay,
    cycle_of,
)
from openami.billing.calendar.load import CalendarError, load_calendar

__all__ = [
    "BUSINESS_DAYS", "BusinessDayCalendar", "CalendarError", "CycleCalendar", "DatedCalendar", "ReadDay", "cycle_of",
    "load_calendar",
]  # fmt: skip
