"""Why two systems bill differently: the causes, in the order in which they are looked for, with words for each."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """One cause of a difference. The text of each stands in :data:`WORDS`."""

    UNKNOWN_PLACE = "unknown_place"
    NOT_BILLED = "not_billed"
    BILLED_TWICE = "billed_twice"
    OURS_HELD = "ours_held"
    RATE = "rate"
    READ_DATE = "read_date"
    MULTIPLIER = "multiplier"
    ESTIMATE = "estimate"
    ROLLOVER = "rollover"
    READ = "read"
    USAGE_SUM = "usage_sum"
    EXPORT = "export"
    LATE_DATA = "late_data"
    SEASON = "season"
    HOLIDAY = "holiday"
    CLOCK = "clock"
    BLOCK = "block"
    DEMAND = "demand"
    USAGE = "usage"
    PRICE_VERSION = "price_version"
    PRICE = "price"
    FIXED = "fixed"
    MINIMUM = "minimum"
    RIDER = "rider"
    TAX = "tax"
    CREDIT = "credit"
    ROUNDING = "rounding"
    ARITHMETIC = "arithmetic"


WORDS = {
    Cause.UNKNOWN_PLACE: "the other system bills a service point that we do not know",
    Cause.NOT_BILLED: "we bill it in this cycle, the other system does not",
    Cause.BILLED_TWICE: "the other system bills days twice",
    Cause.OURS_HELD: "we hold the bill, so there is nothing to compare with",
    Cause.RATE: "another rate",
    Cause.READ_DATE: "other days: its begin or end is not our read day",
    Cause.MULTIPLIER: "another multiplier",
    Cause.ESTIMATE: "its read is estimated, ours is actual",
    Cause.ROLLOVER: "the register rolled over and was subtracted without",
    Cause.READ: "another register value: mis-keyed, or read of another meter",
    Cause.USAGE_SUM: "its usage is not the difference of its own reads",
    Cause.EXPORT: "energy sent back is netted in one system and not in the other",
    Cause.LATE_DATA: "it was made from what was known then; readings have changed since",
    Cause.SEASON: "the season is chosen by another rule",
    Cause.HOLIDAY: "a holiday is billed as another kind of day",
    Cause.CLOCK: "intervals stand an hour, or a clock change, apart",
    Cause.BLOCK: "blocks fill by another rule",
    Cause.DEMAND: "demand is measured over another window",
    Cause.USAGE: "another energy, and nothing that we know explains it",
    Cause.PRICE_VERSION: "a price of another version of the rate",
    Cause.PRICE: "another price",
    Cause.FIXED: "another fixed charge",
    Cause.MINIMUM: "another minimum charge",
    Cause.RIDER: "a rider is missing, or differs",
    Cause.TAX: "a tax is missing, or differs",
    Cause.CREDIT: "a credit is missing, or differs",
    Cause.ROUNDING: "rounded at another place",
    Cause.ARITHMETIC: "its own numbers do not multiply or add up",
}
