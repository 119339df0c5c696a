"""COSEM: what encoded values mean. Source: IEC 62056-6-2."""

from openami.protocol.cosem.datetime import (
    DATE_TIME_OCTETS,
    UNSPECIFIED_DEVIATION,
    CosemDateTime,
    date_time_from_utc,
    decode_date_time,
)

__all__ = [
    "DATE_TIME_OCTETS",
    "UNSPECIFIED_DEVIATION",
    "CosemDateTime",
    "date_time_from_utc",
    "decode_date_time",
]
