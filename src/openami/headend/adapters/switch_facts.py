"""What came between an order and its meter, as the command process reads it: role ``openami_security``, read only.

Of the customer room it sees one table, which says that a place is stopped and for which reasons, not why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.headend.command.ports import CommandUnavailableError
from openami.headend.switching.blocks import BlockCode, Forecast, ForecastHour, Stop, SwitchFacts
from openami.headend.switching.order import SwitchItem, SwitchReason
from openami.kernel.time import Period

END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
MAX_STOPS = 1_000
_HANGS = text("""
    select i.service_point_id from mdm.installation i join mdm.meter m on m.id = i.meter_id
    where m.system_title = :title and i.period @> cast(:domain_now as timestamptz)
""")
_STOPS = text("""
    select code, reasons, from_at, to_at, orders_before from customer.switch_stop
    where service_point_id = :place and from_at <= :now and (to_at is null or :now < to_at) limit :most
""")
_LAST_CUT = text("""
    select o.reason from access.order_use u join access.work_order o using (order_id)
    where substring(u.item from 1 for 8) = :title and o.kind = 'switch' and o.action = 'disconnect'
    order by u.used_at desc limit 1
""")
_FORECAST = text("""
    select issued_at, at, temperature_f, heat_index_f from access.weather_forecast
    where issued_at = (select max(issued_at) from access.weather_forecast where issued_at <= :domain_now) order by at
""")
_KEYS = text("select public_key from access.list_key where ended_at is null order by made_at")


class PostgresSwitchFacts:
    """A :class:`~openami.headend.command.switching.SwitchFactSource`.

    Args:
        engine: connected as ``openami_security``.
        real_now: the host's clock: stops are by it.
        domain_now: the installation's: installations and forecasts are by it.
    """

    def __init__(
        self, engine: AsyncEngine, *, real_now: Callable[[], datetime], domain_now: Callable[[], datetime]
    ) -> None:
        self._engine, self._real_now, self._domain_now = engine, real_now, domain_now

    async def facts(self, item: SwitchItem) -> SwitchFacts:
        """Return what is known of a meter and its place now."""
        values = {
            "title": item.title.octets, "place": item.service_point_id, "now": self._real_now(),
            "domain_now": self._domain_now(), "most": MAX_STOPS,
        }  # fmt: skip
        hangs, stops, cut, hours = await self._fetch((_HANGS, _STOPS, _LAST_CUT, _FORECAST), values)
        if len(stops) >= MAX_STOPS:
            raise CommandUnavailableError("a place has more stops than can be looked at")
        forecast = None
        if hours:
            rows = tuple(ForecastHour(r.at, r.temperature_f, r.heat_index_f) for r in hours)
            forecast = Forecast(hours[0].issued_at, rows)
        return SwitchFacts(
            hangs[0].service_point_id if hangs else None,
            tuple(_stop(row) for row in stops),
            SwitchReason(cut[0].reason) if cut else None,
            forecast,
        )

    async def list_keys(self) -> Sequence[bytes]:
        """Return the registered public keys of customer information systems."""
        (rows,) = await self._fetch((_KEYS,), {})
        return [bytes(row.public_key) for row in rows]

    async def _fetch(self, queries: Sequence[Any], values: dict[str, Any]) -> list[Sequence[Row[Any]]]:
        try:
            async with self._engine.begin() as connection:
                return [(await connection.execute(query, values)).all() for query in queries]
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise CommandUnavailableError(f"what came between cannot be read: {type(error).__name__}") from error


def _stop(row: Row[Any]) -> Stop:
    reasons = frozenset(SwitchReason(reason) for reason in row.reasons)
    return Stop(BlockCode(row.code), reasons, Period(row.from_at, row.to_at or END_OF_TIME), row.orders_before)
