"""The demonstration's people: invented customers, an operator, an engineer, and the rates that homes are on.

Names are made up and their addresses end in a reserved domain. Passwords are random and lie, closed to other users, in
the home: ``people.json`` for programs and ``sign-in.txt`` for the person at the console.
"""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import text

from openami.app.devices.shipment import public_shipment_key, register_maker, take_shipment
from openami.app.engines.rooms import room_database
from openami.app.keys.rekey_desk import RekeyDesk
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.people.desk import Person
from openami.app.readings.history import DemoWish
from openami.app.settings import Settings
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.bill.record import Assignment
from openami.customer.adapters.customer_postgres import PostgresCustomers
from openami.customer.api import CustomerBook
from openami.customer.invented import invented_customers
from openami.kernel.time import local_date, local_midnight, zone_named
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.weather_postgres import PostgresWeather
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.records import ServicePoint
from openami.mdm.weather.record import DayTemperature, Station, StationUse
from openami.security.access.account import NewUser
from openami.security.access.role import Role

RATES = ("ameren-mo-anytime", "ameren-mo-smart")
"""Homes take turns."""
STAFF_LOGIN = "operator@utility.example"
ENGINEER_LOGIN = "engineer@utility.example"
"""The second person, whom firmware and orders need."""
SECURITY_LOGIN = "security@utility.example"
"""Who says which systems may sign order lists."""
_ACCOUNTS = text("select service_point_id, account_id from customer.agreement where end_at is null")
WEATHER_STATION, WEATHER_SOURCE = "DEMO-WEATHER", "the simulated world"
SIGN_IN_FILE = "sign-in.txt"
PEOPLE_FILE = "people.json"


@dataclass(frozen=True, slots=True)
class DemoHooks:
    """Implements :class:`~openami.app.readings.history.Hooks` with the real rooms."""

    settings: Settings

    async def agree_with_maker(self, maker: str, public_key: bytes) -> bytes:
        """Exchange keys with the maker of the territory's meters, as a utility and a maker do once."""
        await register_maker(self.settings, maker, public_key, by="demonstration")
        return await public_shipment_key(self.settings)

    async def import_shipment(self, place: Path) -> None:
        """Take the keys of the territory's meters."""
        await take_shipment(self.settings, place)

    async def on_service_points(self, service_points: Sequence[ServicePoint]) -> None:
        """Make customers, an operator and an engineer, and put homes on rates. A repeat changes nothing."""
        await self._assign_rates(service_points)
        await self._make_people(service_points)
        await self._name_accounts(service_points)
        await self._let_keys_change()

    async def on_weather(self, zone: str, days: Sequence[DayTemperature]) -> None:
        """Keep the temperatures as an invented station's, which speaks for every home; a repeat changes nothing."""
        if not days:
            return
        at = self.settings.clock().now()
        async with room_database(self.settings, "openami_mdm") as engine:
            weather = PostgresWeather(engine)
            await weather.load(Station(WEATHER_STATION, zone, WEATHER_SOURCE, is_simulated=True), days, by=None, at=at)
            if not await weather.uses():
                use = StationUse(WEATHER_STATION, days[0].day, reason="the demonstration's own weather")
                await weather.use(use, by=None, at=at)

    async def on_loaded(self, first: date, last: date) -> None:
        """Ask the worker to validate the days that are in now."""
        async with room_database(self.settings, "openami_mdm") as engine:
            at = self.settings.clock().now()
            await PostgresBook(engine).ask(None, first, last, reason="history loaded", at=at)

    async def _assign_rates(self, points: Sequence[ServicePoint]) -> None:
        async with room_database(self.settings, "openami_billing") as engine:
            book = PostgresBillBook(engine)
            there = {a.service_point_id for a in await book.assignments([p.id for p in points])}
            rows = [
                Assignment(p.id, RATES[k % len(RATES)], local_date(p.made_at, zone_named(p.zone)))
                for k, p in enumerate(points)
                if p.id not in there
            ]
            if rows:
                await book.assign(rows, at=self.settings.clock().now())

    async def _make_people(self, points: Sequence[ServicePoint]) -> None:
        people = self.settings.home.path / PEOPLE_FILE
        if people.exists():
            return
        words = {who: secrets.token_urlsafe(12) for who in ("customer", "staff", "engineer", "security")}
        dice = random.Random(DemoWish.read(self.settings.home.path).seed)  # noqa: S311 - invents names, guards nothing
        customers = invented_customers(
            [p.id for p in points], dice=dice, since=points[0].made_at, password=words["customer"]
        )
        async with (
            room_database(self.settings, "openami_access") as access,
            room_database(self.settings, "openami_customer") as identity,
        ):
            accounts = accounts_of(self.settings, access, RealClock())
            await CustomerBook(PostgresCustomers(identity), accounts, self.settings.clock()).create(customers)
            operator = NewUser(STAFF_LOGIN, frozenset({Role.OPERATOR}), words["staff"], display_name="Operator")
            engineer = NewUser(ENGINEER_LOGIN, frozenset({Role.ENGINEER}), words["engineer"], display_name="Engineer")
            security = NewUser(SECURITY_LOGIN, frozenset({Role.SECADM}), words["security"], display_name="Security")
            await accounts.register_users([operator, engineer, security])
        logins = {
            "customer": customers[0].email,
            "staff": STAFF_LOGIN,
            "engineer": ENGINEER_LOGIN,
            "security": SECURITY_LOGIN,
        }
        self._write_down(people, logins, words)

    async def _name_accounts(self, points: Sequence[ServicePoint]) -> None:
        """Tell the registry which account and rate each place is on, by ids alone. A repeat changes nothing."""
        async with room_database(self.settings, "openami_customer") as identity, identity.connect() as connection:
            accounts = {r.service_point_id: r.account_id for r in await connection.execute(_ACCOUNTS)}
        entries = [
            FactEntry(p.id, kind, value, local_midnight(local_date(p.made_at, zone_named(p.zone)), zone_named(p.zone)))
            for k, p in enumerate(points)
            if p.id in accounts
            for kind, value in ((FactKind.ACCOUNT, str(accounts[p.id])), (FactKind.RATE, RATES[k % len(RATES)]))
        ]
        async with room_database(self.settings, "openami_mdm") as engine:
            registry = PostgresRegistry(engine)
            at = self.settings.clock().now()
            await registry.facts.enter(entries, at=at, reason="the demonstration's customers")

    async def _let_keys_change(self) -> None:
        """Order by both people that keys change as they become due: until then no meter takes a switching command."""
        desk = RekeyDesk(self.settings)
        if (await desk.standing()).is_ordered:
            return
        people = json.loads((self.settings.home.path / PEOPLE_FILE).read_text())
        first, second = (Person(people[who]["login"], people[who]["password"]) for who in ("staff", "engineer"))
        order = await desk.order_all(first, reason="factory keys of the demonstration", days=365)
        await desk.approve(second, order.subject.order_id)

    def _write_down(self, people: Path, logins: dict[str, str], words: dict[str, str]) -> None:
        lines = [f"  {who:<9} {logins[who]:<36} password {words[who]}" for who in logins]
        sign_in = self.settings.home.path / SIGN_IN_FILE
        for place, content in (
            (sign_in, "Sign in as\n" + "\n".join(lines) + "\n"),
            (people, json.dumps({who: {"login": logins[who], "password": words[who]} for who in logins})),
        ):
            place.touch(mode=0o600)
            place.write_text(content)
