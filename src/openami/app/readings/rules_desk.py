"""Where people look at validation rules and set them: what a change runs again is answered before it is accepted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from openami.app.engines.rooms import room_database
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings
from openami.mdm.adapters.rule_postgres import PostgresRuleSettings
from openami.mdm.validation.rule_ports import KeptSetting, RuleReach
from openami.mdm.vee.ruleset import RuleSetting
from openami.security.access.policy import Kind


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A change that was tried: what it is, what it touches, and the row that keeps it; None where it was only tried."""

    setting: RuleSetting
    reach: RuleReach
    kept: KeptSetting | None = None


class RulesDesk:
    """Acts of people on the rules of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def kept(self) -> list[KeptSetting]:
        """Return what was set, in the order in which it was made."""
        async with self._rules() as rules:
            return await rules.kept()

    async def look(self, setting: RuleSetting) -> RuleChange:
        """Return what a setting would touch."""
        async with self._rules() as rules:
            return RuleChange(setting, await rules.reach(setting))

    async def set(self, person: Actor, setting: RuleSetting, *, reason: str) -> RuleChange:
        """Keep a setting and ask for its days to run again, as an act in the log.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
            RuleSetError: the reason is none.
        """
        act = Act(Kind.VEE, "rules.set", f"rule {setting.rule}: {words_of(setting)}")
        async with acting(self._settings, person, act) as who, self._rules() as rules:
            reach = await rules.reach(setting)
            now = self._settings.clock().now()
            return RuleChange(setting, reach, await rules.keep(setting, reason=reason, by=who.user_id, at=now))

    @asynccontextmanager
    async def _rules(self) -> AsyncIterator[PostgresRuleSettings]:
        async with room_database(self._settings, "openami_mdm") as engine:
            yield PostgresRuleSettings(engine)


def words_of(setting: RuleSetting) -> str:
    """Return a setting in words.

    >>> from datetime import date
    >>> words_of(RuleSetting("spike", None, date(2026, 6, 1), thresholds={"excess": 2.0}))
    'excess = 2 for all groups from 2026-06-01'
    """
    parts = [setting.severity.value] if setting.severity is not None else []
    parts += [f"{name} = {value:g}" for name, value in setting.thresholds.items()]
    until = "" if setting.until is None else f" until {setting.until}"
    group = "all groups" if setting.group is None else setting.group.value
    return f"{', '.join(parts)} for {group} from {setting.first}{until}"
