"""The SQL that is written by hand: it has names, can be read and run, and finds its rows by an index."""

import re
import sys
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, Final

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config.statements import Statement, known, named
from tests import planner
from tests.packages import PACKAGES
from tracing.intake.storing import STAGING_SQL

STATEMENTS: Final = known()
#: What the database backend itself says, before anything else can, has no name.
PRODUCT: Final = {*PACKAGES} - {"config"}
BEGINS: Final = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b")
#: What runs for every alert, delivery or second, or over all days, and an index that it can't do without.
HOT: Final = {
    "engine.claim": {"outgoing_due"},
    "engine.lanes": {"outgoing_due"},
    "engine.backlog": {"outgoing_due"},
    "engine.expire.lanes": {"outgoing_due"},
    "engine.revocable.lanes": {"outgoing_due_revocable"},
    "engine.revocable.lock": {"outgoing_due_revocable"},
    "engine.revocable.begun": {"notifications_outgoing_pkey"},
    "engine.revocable.soon": {"outgoing_revocable_next"},
    "engine.release": {"notifications_outgoing_pkey"},
    "engine.content": {"notifications_notification_pkey"},
    "engine.finalise": {"notifications_outgoing_pkey", "notifications_delivery_rest_pkey"},
    "engine.finalise.late": {"notifications_outgoing_pkey", "notifications_delivery_rest_pkey"},
    "engine.withhold": {"notifications_outgoing_pkey", "notifications_delivery_rest_pkey"},
    "fan-out.take": {"alert_not_fanned_out"},
    "fan-out.alerts": {"accounts_user_pkey", "shop_groups_alerts"},
    "fan-out.group": {"alert_grouped_of_shop", "notifications_alert_pkey"},
    "fan-out.people": {"accounts_user_pkey", "notifications_delivery_rest_user_id_id_idx"},
    "inbox.news": {"inboxitem_unread", "inboxitem_read"},
    "inbox.state": {"inboxitem_unread"},
    "inbox.page": {"inboxitem_unread", "inboxitem_read"},
    "inbox.appear.due": {"notifications_delivery_rest_pkey"},
    "inbox.wake.due": {"inboxitem_snoozed"},
    "events.claim.next": {"handler_run_due"},
    "escalation.finish": {"escalation_look", "notification_source"},
    "groups.audit.next": {"group_newest", "occurrence_age"},
    "groups.audit.counts": {"group_newest", "occurrence_age"},
    "groups.audit.states": {"group_newest"},
    "groups.audit.end-untold": {"group_newest", "notification_once"},
    "groups.audit.miscounted": {"group_newest"},
    "groups.audit.occurrences": {"occurrence_age"},
    "groups.audit.still-sending": {"notifications_delivery_rest_pkey"},
    "figures.sums": {"group_newest", "escalation_newest"},
    "figures.noise": {"group_newest", "escalation_newest", "notification_source"},
    "calendars.spells": {"escalation_layer_pkey", "calendar_spells"},
    "heartbeats.ping": {"escalation_heartbeat_ping_uuid_key"},
    "heartbeats.miss": {"escalation_heartbeat_pkey"},
    "heartbeats.note": {"heartbeat_due_at"},
    "dating.overdue": {"event_due"},
    "sweep.ask": {
        "alert_not_fanned_out", "broadcast_due", "case_search_pending", "escalation_look", "event_due",
        "handler_run_due", "hang_up_next", "heartbeat_due_at", "inboxitem_snoozed", "outgoing_due",
        "outgoing_for_digest", "room_to_make",
    },
}  # fmt: skip


def shown(*name: str) -> str:
    out = StringIO()
    call_command("show_sql", *name, stdout=out)
    return out.getvalue()


def with_null(statement: Statement) -> str:
    """What show_sql prints, with NULL for psql's variables: like these, it is of no type of its own."""
    return re.sub(r":'\w+'", "NULL", statement.for_psql)


def with_numbers(statement: Statement) -> str:
    """The same with $1, $2, …: PostgreSQL plans it for any values."""
    places = {name: f"${number}" for number, name in enumerate(statement.parameters, 1)}
    return re.sub(r":'(\w+)'", lambda found: places[found[1]], statement.for_psql)


def parts_of(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from parts_of(part)


def test_all_are_listed_with_their_purposes() -> None:
    lines = shown().splitlines()
    assert [line.split()[0] for line in lines] == sorted(STATEMENTS)
    assert all(line.endswith(".") for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("name", STATEMENTS)
def test_each_is_shown_as_postgresql_takes_it(db: None, name: str) -> None:
    statement, text = STATEMENTS[name], shown(name)
    assert text.startswith(f"-- {statement.purpose}\n")
    assert text.endswith(f"{statement.for_psql};\n")
    assert [line.split()[1] for line in text.splitlines() if line.startswith("\\set ")] == [
        *statement.parameters
    ]
    with connection.cursor() as cursor:
        cursor.execute(STAGING_SQL)
        if statement.text != STAGING_SQL:
            cursor.execute(f"EXPLAIN {with_null(statement)}")


def test_parameters_keep_their_names() -> None:
    statement = Statement("x", "Try.", "SELECT %(now)s, %s, 7 %% 2, %(now)s::date, %s")
    assert statement.for_psql == "SELECT :'now', :'1', 7 % 2, :'now'::date, :'2'"
    assert statement.parameters == ("now", "1", "2")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(CommandError, match=r"There is no statement engine\.clam"):
        shown("engine.clam")


def test_no_two_have_one_name() -> None:
    with pytest.raises(ValueError, match=r"there is another statement engine\.claim"):
        named("engine.claim", "Take the same.", "SELECT 1")


def test_no_statement_stands_without_a_name() -> None:
    texts = [statement.text for statement in STATEMENTS.values()]
    nameless = [
        f"{module.__name__}.{constant}"
        for module in list(sys.modules.values())
        if module.__name__.partition(".")[0] in PRODUCT and ".migrations." not in module.__name__
        for constant, text in vars(module).items()
        if isinstance(text, str) and BEGINS.match(text) and "{" not in text
        if not any(text in each for each in texts)
    ]
    assert not nameless, "Name it by config.statements.named, below it."


@pytest.mark.slow
@pytest.mark.parametrize("name", HOT)
def test_what_is_hot_finds_its_rows_by_an_index(db: None, name: str) -> None:
    """As on a new database: a table is read whole only where no index is of use."""
    planner.prefer_indexes()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {with_numbers(STATEMENTS[name])}")
        (found,) = cursor.fetchone()
    (plan,) = orjson.loads(found) if isinstance(found, str) else found
    parts = list(parts_of(plan["Plan"]))
    read_whole = [part["Relation Name"] for part in parts if part["Node Type"] == "Seq Scan"]
    assert not read_whole, "Give these tables an index that finds the rows that are asked for."
    assert {part.get("Index Name") for part in parts} >= HOT[name]
