"""Row security as the second layer: read from the catalog, and tried with every role."""

from __future__ import annotations

from contextlib import nullcontext
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.engines.postgres import PostgresEngine
from openami.security.access.row import RowSettings, seen_as
from openami.security.adapters.row_security import row_secured_engine

pytestmark = pytest.mark.engines
GUARDED = ("customer", "billing", "access")


def superuser(postgres: PostgresEngine) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(f"host={postgres.sockets} user=postgres dbname=openami", autocommit=True)


def test_every_table_that_holds_a_customer_is_forced_and_has_policies(postgres: PostgresEngine) -> None:
    with superuser(postgres) as c:
        rows = c.execute(
            "select n.nspname || '.' || c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relowner::regrole::text, "
            "(select count(*) from pg_policy p where p.polrelid = c.oid) "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = any(%s) and c.relkind in ('r', 'p')",
            (list(GUARDED),),
        ).fetchall()
    assert {str(r[0]) for r in rows} >= {"customer.person", "customer.agreement", "access.session"}
    for name, is_on, is_forced, owner, policies in rows:
        assert is_on, name
        assert is_forced, name
        assert not str(owner).startswith("openami_"), name
        assert int(str(policies)) > 0, name


def test_no_role_of_ours_is_powerful_and_no_function_borrows_rights(postgres: PostgresEngine) -> None:
    with superuser(postgres) as c:
        roles = c.execute(
            "select rolname, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb from pg_roles "
            "where rolname like 'openami_%'"
        ).fetchall()
        definers = c.execute(
            "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace "
            "where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        views = c.execute("select viewname from pg_views where schemaname = any(%s)", (list(GUARDED),)).fetchall()
    assert "openami_portal" in {r[0] for r in roles}
    assert [name for name, is_powerful in roles if is_powerful] == []
    assert definers == []
    assert views == []


def test_web_requests_may_only_select_what_customers_and_bills_hold(postgres: PostgresEngine) -> None:
    with superuser(postgres) as c:
        rights = c.execute(
            "select table_schema || '.' || table_name, privilege_type from information_schema.role_table_grants "
            "where grantee = 'openami_portal'"
        ).fetchall()
        columns = c.execute(
            "select distinct table_schema || '.' || table_name from information_schema.role_column_grants "
            "where grantee = 'openami_portal' and privilege_type <> 'SELECT'"
        ).fetchall()
    # A customer's wish for another rate is added to and never altered; all else is read.
    wishes = {("billing.rate_wish", "INSERT"), ("billing.rate_wish_step", "INSERT")}
    assert {r for r in rights if r[1] != "SELECT"} == wishes
    # Reads that a person asks for and counters that a person believes, by column.
    by_column = sorted(str(c) for (c,) in columns if not str(c).startswith("billing.rate_wish"))
    assert by_column == ["headend.counter_release", "headend.request"]


NOBODY_ELSE = {
    # What was stated and measured is added to; what a run remembers is the room's own.
    "billing.signal_statement": {"openami_billing": "insert,select", "openami_portal": "select"},
    "billing.place_rest": {"openami_billing": "delete,insert,select,update"},
    "billing.place_touched": {"openami_billing": "delete,insert,select,update"},
    "mdm.place_news": {"openami_mdm": "delete,insert,select,update"},
    "mdm.weather_station": {"openami_mdm": "insert,select"},
    "mdm.weather_day": {"openami_mdm": "insert,select"},
    "mdm.weather_use": {"openami_mdm": "insert,select"},
}


@pytest.mark.parametrize("table", NOBODY_ELSE)
def test_what_runs_remember_and_people_state_is_for_whoever_needs_it_alone(
    postgres: PostgresEngine, table: str
) -> None:
    with superuser(postgres) as c:
        rights = c.execute(
            "select grantee, string_agg(lower(privilege_type), ',' order by privilege_type) "
            "from information_schema.role_table_grants where table_schema || '.' || table_name = %s "
            "and (grantee like 'openami_%%' or grantee = 'PUBLIC') group by grantee",
            (table,),
        ).fetchall()
    assert {str(who): str(may) for who, may in rights} == NOBODY_ELSE[table]


@pytest.mark.parametrize("reason", ["counter_jump", "bad_tag"])
def test_web_requests_may_release_a_held_counter_and_no_other_letter(postgres: PostgresEngine, reason: str) -> None:
    with superuser(postgres) as c:
        c.execute(
            "insert into headend.dead_letter values (%s, 1, 0, %s, 'd', '00', 7, 1, now(), now(), '')",
            (reason, reason),
        )
    try:
        with psycopg.connect(f"host={postgres.sockets} user=openami_portal dbname=openami") as c:
            insert = (
                "insert into headend.counter_release (letter_id, asked_by, asked_at, reason) "
                "values (%s, %s, now(), 'why')"
            )
            refused = nullcontext() if reason == "counter_jump" else pytest.raises(psycopg.errors.InsufficientPrivilege)
            with refused:
                c.execute(insert, (reason, uuid4()))
            c.rollback()
    finally:
        with superuser(postgres) as c:
            c.execute("delete from headend.dead_letter where letter_id = %s", (reason,))


def test_without_settings_no_role_of_the_web_sees_a_row(postgres: PostgresEngine) -> None:
    with superuser(postgres) as c:
        user, account, person, place = (uuid4() for _ in range(4))
        c.execute(
            "insert into access.user_account (user_id, login_digest, made_at) values (%s, %s, now())", (user, b"x" * 32)
        )
        c.execute("insert into customer.person values (%s, 'Ada', 'ada@example.org', now())", (person,))
        c.execute("insert into customer.account values (%s, %s, %s, now())", (account, person, user))
        c.execute("insert into customer.premise values (%s, '1 Elm', 'Home')", (place,))
        c.execute("insert into customer.agreement values (%s, %s, %s, %s, now())", (uuid4(), account, place, uuid4()))
        tables = c.execute(
            "select schemaname, tablename from pg_tables where schemaname = any(%s)", (list(GUARDED),)
        ).fetchall()
    for schema, table in tables:
        role = "openami_access" if schema == "access" else "openami_portal"
        with superuser(postgres) as c:
            may_look = c.execute("select has_table_privilege(%s, %s, 'select')", (role, f"{schema}.{table}")).fetchone()
        if may_look == (False,):
            continue
        with psycopg.connect(f"host={postgres.sockets} user={role} dbname=openami") as c:
            row = c.execute(
                sql.SQL("select count(*) from {}.{}").format(sql.Identifier(str(schema)), sql.Identifier(str(table)))
            ).fetchone()
            has_subject = c.execute(
                "select 1 from information_schema.columns where table_schema = %s and table_name = %s "
                "and column_name in ('service_point_id', 'bill_id', 'user_id', 'person_id')",
                (schema, table),
            ).fetchone()
            if has_subject:
                assert row == (0,), f"{schema}.{table}"


ASKED = {
    "request_id": UUID(int=1), "group_no": 0, "meter_id": UUID(int=2), "system_title": b"OAM00001", "kind": "read_now",
    "lane": 0, "from_s": 1_800_000_000, "to_s": 1_800_000_000, "asked_at_s": 1_800_000_000, "state": "queued",
    "expires_s": 1_800_000_030.0, "asked_by": "staff",
}  # fmt: skip


def asked_by_web(postgres: PostgresEngine, row: dict[str, object]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    places = sql.SQL(", ").join(map(sql.Placeholder, row))
    with psycopg.connect(f"host={postgres.sockets} user=openami_portal dbname=openami") as c:
        c.execute(sql.SQL("insert into headend.request ({}) values ({})").format(names, places), row)
        c.rollback()


@pytest.mark.parametrize("kind", ["read_now", "ping", "clock", "events"])
def test_web_requests_may_ask_a_meter_what_a_person_may(postgres: PostgresEngine, kind: str) -> None:
    asked_by_web(postgres, {**ASKED, "kind": kind})


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"kind": "firmware"}, id="firmware"),
        pytest.param({"kind": "intervals"}, id="recovery"),
        pytest.param({"kind": "no such kind"}, id="a kind that stops whoever reads the row"),
        pytest.param({"lane": 1}, id="another lane"),
        pytest.param({"state": "done"}, id="an answer"),
        pytest.param({"figures": "[]"}, id="figures"),
        pytest.param({"tries": -5}, id="more tries"),
        pytest.param({"from_s": 1_700_000_000}, id="years of events"),
        pytest.param({"from_s": -1}, id="before the epoch"),
        pytest.param({"expires_s": None}, id="for ever"),
        pytest.param({"expires_s": 1_900_000_000.0}, id="for years"),
    ],
)
def test_web_requests_may_ask_a_meter_nothing_else(postgres: PostgresEngine, more: dict[str, object]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked_by_web(postgres, {**ASKED, **more})


async def test_settings_end_with_their_transaction_on_a_pooled_connection(postgres: PostgresEngine) -> None:
    user, account, person, place = (uuid4() for _ in range(4))
    with superuser(postgres) as c:
        c.execute("insert into customer.person values (%s, 'Ada', 'ada@example.org', now())", (person,))
        c.execute("insert into customer.account values (%s, %s, %s, now())", (account, person, user))
        c.execute("insert into customer.premise values (%s, '1 Elm', 'Home')", (place,))
        c.execute("insert into customer.agreement values (%s, %s, %s, %s, now())", (uuid4(), account, place, uuid4()))
    engine = row_secured_engine(postgres.url("openami_portal"), pool_size=1)
    try:
        for table in ("person", "account", "premise", "agreement"):
            counts = [await _count(engine, table, user_id) for user_id in (user, uuid4(), None)]
            assert counts == [1, 0, 0], table
    finally:
        await engine.dispose()


async def _count(engine: AsyncEngine, table: str, user_id: UUID | None) -> int:
    with seen_as(RowSettings("viewer", user_id)) if user_id else nullcontext():
        async with engine.begin() as connection:
            return int((await connection.execute(text(f"select count(*) from customer.{table}"))).scalar_one())  # noqa: S608  # table names of this file
