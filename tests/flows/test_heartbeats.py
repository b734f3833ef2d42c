"""Heartbeats on the real processes, pinged by curl: one that is late rings, until it is back."""

import re
import subprocess
import time
import uuid

import pytest
from django.conf import settings

from tests.flows.product import Product

pytestmark = pytest.mark.flow

POLICY = """
WITH policy AS (
    INSERT INTO escalation_policy (id, name, created_at, updated_at)
    VALUES (uuidv7(), %(name)s, now(), now()) RETURNING id
), version AS (
    INSERT INTO escalation_policyversion
           (id, policy_id, number, steps, repeats, repeat_every_s, severity, created_at)
    SELECT uuidv7(), id, 1,
           jsonb_build_array(jsonb_build_object('after_s', 0, 'targets', jsonb_build_array(
               jsonb_build_object('type', 'address', 'channel', 'webhook', 'address', %(url)s::text)))),
           0, 0, 'critical', now()
      FROM policy
)
INSERT INTO escalation_heartbeat
       (id, name, slug, ping_uuid, policy_id, severity, tags, period_s, grace_s, cron, time_zone, state,
        pings, created_at)
SELECT uuidv7(), %(name)s, %(name)s, gen_random_uuid(), id, 'critical', '{}', 2, 1, '', 'UTC', 'new', 0,
       now()
  FROM policy RETURNING ping_uuid::text
"""
STATES = """
SELECT beat.state,
       coalesce(array_agg(alerts.state ORDER BY opened_at) FILTER (WHERE alerts.id IS NOT NULL), '{}')
  FROM escalation_heartbeat AS beat
  LEFT JOIN escalation_alertgroup AS alerts ON alerts.key = 'heartbeat:' || beat.id
 WHERE slug = %(name)s GROUP BY beat.id
"""
PINGS = """
SELECT kind, exit_status FROM escalation_heartbeatping AS ping
  JOIN escalation_heartbeat AS beat ON beat.id = ping.heartbeat_id WHERE slug = %(name)s ORDER BY number
"""
CURL = "curl -fsS -m 10 --retry 5 -o /dev/null"


def run(command: str) -> int:
    return subprocess.run(["/bin/sh", "-c", command], timeout=60, check=False).returncode


def test_what_is_late_or_fails_rings_and_is_over_with_the_next_ping(product: Product) -> None:
    name = f"job-{uuid.uuid4().hex[:8]}"
    url = f"{product.third_party.origin}/{name}"
    ((ping_uuid,),) = product.sql(POLICY, name=name, url=url)
    ping = f"{product.stack.base_url}/ping/{ping_uuid}"

    def told() -> int:
        return sum(request.path == f"/{name}" for request in product.third_party.requests)

    def states() -> tuple[str, list[str]]:
        ((state, groups),) = product.sql(STATES, name=name)
        return state, groups

    assert run(f"{CURL} {ping}/start && true && {CURL} {ping}") == 0
    pinged_at = time.monotonic()
    assert states() == ("up", [])
    product.wait_for(lambda: told() == 1, 20, "nobody was told that it is late")
    # Three seconds of period and grace, two until it is noticed, and what this machine takes to send it.
    assert time.monotonic() - pinged_at < 8
    assert states() == ("down", ["open"])
    assert run(f"head -c 200000 /dev/zero | tr '\\0' x | {CURL} --data-binary @- {ping}") == 0
    assert states() == ("up", ["resolved"])
    assert run(f"false; {CURL} {ping}/$?") == 0
    product.wait_for(lambda: told() == 2, 20, "nobody was told that it failed")
    assert states() == ("down", ["resolved", "open"])
    assert run(f"{CURL} --head {ping}/0") == 0
    assert states() == ("up", ["resolved", "resolved"])
    assert run(f"{CURL} {ping}/256") != 0
    product.sql("UPDATE escalation_heartbeat SET state = 'paused', due_at = NULL WHERE slug = %(n)s", n=name)


def test_the_lines_that_are_shown_for_a_shell_ping(product: Product) -> None:
    name = f"job-{uuid.uuid4().hex[:8]}"
    ((ping_uuid,),) = product.sql(POLICY, name=name, url=f"{product.third_party.origin}/{name}")
    text = (settings.BASE_DIR / "docs" / "heartbeats.md").read_text()
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = block.replace("https://tocsin.example.com", product.stack.base_url).replace("UUID", ping_uuid)
    assert [run(line) for line in lines.splitlines()] == [0, 0, 0]
    assert product.sql(PINGS, name=name) == [("success", None), ("success", 0), ("success", None)]
    product.sql("UPDATE escalation_heartbeat SET state = 'paused', due_at = NULL WHERE slug = %(n)s", n=name)
