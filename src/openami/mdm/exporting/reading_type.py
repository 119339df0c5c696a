"""IEC 61968-9 ReadingType: eighteen numbers that say what a value is, for the channels we have.

Source: IEC 61968-9, annex on ReadingTypes (attributes 1 to 18), the same lists as ESPI's ReadingType.
"""

from __future__ import annotations

from openami.contracts.channel import Channel

MEASURING_PERIODS = {60: 3, 300: 6, 600: 1, 900: 2, 1800: 5, 3600: 7, 86_400: 4}
"""Attribute 3 by interval length [s]."""
_LENGTHS = {number: length for length, number in MEASURING_PERIODS.items()}
_DELTA, _BULK = 4, 1
_ENERGY = {
    # flow direction, unit: Wh 72, varh 73
    Channel.DELIVERED: (1, 72),
    Channel.RECEIVED: (19, 72),
    Channel.NET: (4, 72),
    Channel.REACTIVE_DELIVERED: (1, 73),
    Channel.REACTIVE_RECEIVED: (19, 73),
}
_CHANNEL_OF = {v: k for k, v in _ENERGY.items()}


def reading_type(channel: Channel, interval_s: int | None) -> str | None:
    """Return the reading type of a channel's intervals, or of its register where there is no interval.

    None where the list has no number for such a length, or the channel is not energy.

    >>> reading_type(Channel.DELIVERED, 900)
    '0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.0.72.0'
    >>> reading_type(Channel.RECEIVED, None)
    '0.0.0.1.19.1.12.0.0.0.0.0.0.0.0.0.72.0'
    """
    if channel not in _ENERGY or (interval_s is not None and interval_s not in MEASURING_PERIODS):
        return None
    flow, unit = _ENERGY[channel]
    period, accumulation = (0, _BULK) if interval_s is None else (MEASURING_PERIODS[interval_s], _DELTA)
    return f"0.0.{period}.{accumulation}.{flow}.1.12.0.0.0.0.0.0.0.0.0.{unit}.0"


def register_channel(text: str) -> tuple[Channel, int] | None:
    """Return the channel and the power of ten of a register's reading type; None where it is no register of energy.

    >>> register_channel("0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
    (<Channel.DELIVERED: 1>, 3)
    """
    numbers = _numbers(text)
    if numbers is None or numbers[2] or numbers[3] not in {_BULK, 3} or not -3 <= numbers[15] <= 6:
        return None
    channel = _CHANNEL_OF.get((numbers[4], numbers[16]))
    return None if channel is None else (channel, numbers[15])


def intervals_of_type(text: str) -> tuple[Channel, int] | None:
    """Return the channel and the interval length [s] of a reading type of intervals; None for any other.

    >>> intervals_of_type("0.0.2.4.19.1.12.0.0.0.0.0.0.0.0.3.72.0")
    (<Channel.RECEIVED: 2>, 900)
    """
    numbers = _numbers(text)
    if numbers is None or numbers[3] != _DELTA or numbers[2] not in _LENGTHS:
        return None
    channel = _CHANNEL_OF.get((numbers[4], numbers[16]))
    return None if channel is None else (channel, _LENGTHS[numbers[2]])


def _numbers(text: str) -> list[int] | None:
    """Return the eighteen numbers of a reading type of plain energy; None for any other text."""
    parts = text.split(".")
    if len(parts) != 18 or not all(p.removeprefix("-").isdecimal() and p.isascii() and len(p) < 5 for p in parts):
        return None
    numbers = [int(p) for p in parts]
    if numbers[5] not in {1, 2} or numbers[6] != 12 or any(numbers[i] for i in (0, 1, 7, 8, 9, 10, 11, 12, 13)):
        return None
    return numbers
