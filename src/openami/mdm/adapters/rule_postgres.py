"""Settings of rules in PostgreSQL, schema ``mdm``: rows are added and never altered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.mdm.validation.rule_ports import KeptSetting, RuleReach
from openami.mdm.vee.rules.rule import ChannelGroup
from openami.mdm.vee.ruleset import RuleSetError, RuleSetting, RuleSeverity

MAX_ASKED_DAYS = 31
"""A request of the queue spans at most a month, so that one run's work stays within memory."""
_ALL = text("select * from mdm.rule_set order by id")
_ADD = text("""
    insert into mdm.rule_set (rule, channel_group, first_day, until_day, severity, thresholds, reason, made_by, made_at)
    values (:rule, :group, :first, :until, :severity, cast(:thresholds as jsonb), :reason, :by, :at) returning id
""")
_DAYS = text("""
    select distinct local_day from mdm.vee_day
    where local_day >= :first and (cast(:until as date) is null or local_day < :until) order by local_day
""")
_POINTS = text("""
    select count(distinct service_point_id) from mdm.installation
    where period && tstzrange(cast(:first as date)::timestamptz, (cast(:last as date) + 1)::timestamptz)
""")
_ASK = text("""
    insert into mdm.vee_request (service_point_id, first_day, last_day, reason, made_at)
    values (null, :first, :last, :reason, :at)
""")


class PostgresRuleSettings:
    """Implements :class:`~openami.mdm.validation.rule_ports.RuleSettings`.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def kept(self) -> list[KeptSetting]:
        """See the port."""
        async with self._engine.connect() as connection:
            return [_kept(dict(r)) for r in (await connection.execute(_ALL)).mappings()]

    async def reach(self, setting: RuleSetting) -> RuleReach:
        """See the port."""
        async with self._engine.connect() as connection:
            days = await _days(connection, setting)
            if not days:
                return RuleReach(0, None, None, 0)
            points = await connection.scalar(_POINTS, {"first": days[0], "last": days[-1]})
        return RuleReach(len(days), days[0], days[-1], int(points or 0))

    async def keep(self, setting: RuleSetting, *, reason: str, by: UUID, at: datetime) -> KeptSetting:
        """See the port."""
        if not 5 <= len(reason) <= 500:
            raise RuleSetError("the reason has 5 to 500 characters; it is kept for ever")
        row = {
            "rule": setting.rule, "group": setting.group, "first": setting.first, "until": setting.until,
            "severity": setting.severity, "thresholds": orjson.dumps(dict(setting.thresholds)).decode(),
            "reason": reason, "by": by, "at": at,
        }  # fmt: skip
        async with self._engine.begin() as connection:
            number = await connection.scalar(_ADD, row)
            for first, last in _spans(await _days(connection, setting)):
                asked = {"first": first, "last": last, "reason": f"rule {setting.rule} changed", "at": at}
                await connection.execute(_ASK, asked)
        return KeptSetting(int(number or 0), setting, reason, by, at)


async def _days(connection: AsyncConnection, setting: RuleSetting) -> list[date]:
    found = await connection.execute(_DAYS, {"first": setting.first, "until": setting.until})
    return [row[0] for row in found]


def _spans(days: list[date]) -> list[tuple[date, date]]:
    """Return runs of days without a hole, each at most a month."""
    spans: list[tuple[date, date]] = []
    for day in days:
        if spans and day - spans[-1][1] == timedelta(days=1) and (day - spans[-1][0]).days < MAX_ASKED_DAYS:
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def _kept(row: Mapping[str, Any]) -> KeptSetting:
    group, severity = row["channel_group"], row["severity"]
    setting = RuleSetting(
        row["rule"],
        None if group is None else ChannelGroup(group),
        row["first_day"],
        row["until_day"],
        None if severity is None else RuleSeverity(severity),
        {name: float(value) for name, value in row["thresholds"].items()},
    )
    return KeptSetting(row["id"], setting, row["reason"], row["made_by"], row["made_at"])
