"""Channels: what a column of readings means. The one table of unit and power of ten.

``value`` is an integer in the meter's own resolution; ``scaled(value, power_of_ten)`` is the quantity in ``unit``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from openami.kernel.obis import Obis
from openami.kernel.quantity import Unit


class Channel(IntEnum):
    """Channel numbers as stored. Numbers are for ever; new ones are appended."""

    DELIVERED = 1
    RECEIVED = 2
    VOLTAGE = 3
    REACTIVE_DELIVERED = 4
    REACTIVE_RECEIVED = 5
    DELIVERED_RATE_1 = 6
    DELIVERED_RATE_2 = 7
    NET = 8
    VOLTAGE_L1 = 9
    VOLTAGE_L2 = 10
    VOLTAGE_L3 = 11
    CURRENT_L1 = 12
    CURRENT_L2 = 13
    CURRENT_L3 = 14
    POWER_FACTOR = 15


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """Meaning of a channel.

    Args:
        channel: its number.
        name: a word for files and JSON.
        unit: DLMS unit.
        power_of_ten: decimal exponent of one count.
        register_obis: the cumulative register that the intervals are differences of; None for an average.
        interval_obis: OBIS of the captured interval value in our own meter's load profile.
        is_energy: whether intervals add up (energy) or average (voltage, current, power factor).
    """

    channel: Channel
    name: str
    unit: Unit
    power_of_ten: int
    register_obis: Obis | None
    interval_obis: Obis
    is_energy: bool


_ENERGY = frozenset({Unit.WATT_HOUR, Unit.VAR_HOUR})


def _spec(
    channel: Channel, name: str, unit: Unit, power_of_ten: int, register: str | None, interval: str
) -> ChannelSpec:
    register_obis = Obis.from_text(register) if register else None
    return ChannelSpec(channel, name, unit, power_of_ten, register_obis, Obis.from_text(interval), unit in _ENERGY)


CHANNELS: dict[Channel, ChannelSpec] = {
    s.channel: s
    for s in (
        _spec(Channel.DELIVERED, "delivered", Unit.WATT_HOUR, 0, "1.0.1.8.0.255", "1.0.1.29.0.255"),
        _spec(Channel.RECEIVED, "received", Unit.WATT_HOUR, 0, "1.0.2.8.0.255", "1.0.2.29.0.255"),
        _spec(Channel.VOLTAGE, "voltage", Unit.VOLT, -1, None, "1.0.12.24.0.255"),
        _spec(
            Channel.REACTIVE_DELIVERED,
            "reactive_delivered",
            Unit.VAR_HOUR,
            0,
            "1.0.3.8.0.255",
            "1.0.3.29.0.255",
        ),
        _spec(
            Channel.REACTIVE_RECEIVED,
            "reactive_received",
            Unit.VAR_HOUR,
            0,
            "1.0.4.8.0.255",
            "1.0.4.29.0.255",
        ),
        _spec(Channel.DELIVERED_RATE_1, "delivered_rate_1", Unit.WATT_HOUR, 0, "1.0.1.8.1.255", "1.0.1.29.1.255"),
        _spec(Channel.DELIVERED_RATE_2, "delivered_rate_2", Unit.WATT_HOUR, 0, "1.0.1.8.2.255", "1.0.1.29.2.255"),
        _spec(Channel.NET, "net", Unit.WATT_HOUR, 0, "1.0.16.8.0.255", "1.0.16.29.0.255"),
        _spec(Channel.VOLTAGE_L1, "voltage_l1", Unit.VOLT, -1, None, "1.0.32.24.0.255"),
        _spec(Channel.VOLTAGE_L2, "voltage_l2", Unit.VOLT, -1, None, "1.0.52.24.0.255"),
        _spec(Channel.VOLTAGE_L3, "voltage_l3", Unit.VOLT, -1, None, "1.0.72.24.0.255"),
        _spec(Channel.CURRENT_L1, "current_l1", Unit.AMPERE, -2, None, "1.0.31.24.0.255"),
        _spec(Channel.CURRENT_L2, "current_l2", Unit.AMPERE, -2, None, "1.0.51.24.0.255"),
        _spec(Channel.CURRENT_L3, "current_l3", Unit.AMPERE, -2, None, "1.0.71.24.0.255"),
        _spec(Channel.POWER_FACTOR, "power_factor", Unit.COUNT, -3, None, "1.0.13.24.0.255"),
    )
}
CHANNEL_BY_REGISTER: dict[Obis, Channel] = {
    s.register_obis: s.channel for s in CHANNELS.values() if s.register_obis is not None
}
CHANNEL_BY_NAME: dict[str, Channel] = {s.name: s.channel for s in CHANNELS.values()}
