"""An integration of the product at work, whose policy posts to the third party, and what came of it."""

import json
import uuid
from dataclasses import dataclass

from tests.flows.product import Product

POLICY = (
    "INSERT INTO escalation_policy (id, name, created_at, updated_at) VALUES (%(id)s, %(name)s, now(), now())"
)
VERSION = """
INSERT INTO escalation_policyversion
       (id, policy_id, number, steps, repeats, repeat_every_s, severity, created_at)
VALUES (uuidv7(), %(policy)s, 1, %(steps)s, 0, 0, 'critical', now())
"""
INTEGRATION = """
INSERT INTO escalation_integration
       (id, name, format, policy_id, severity, mapping, is_enabled, key_version, key_digest, created_at)
VALUES (%(id)s, %(name)s, %(format)s, %(policy)s, 'critical', %(mapping)s, true, 1,
        encode(sha256(convert_to(%(key)s::text, 'UTF8')), 'hex'), now())
"""
GROUPS = """
SELECT key, state, occurrences, ended_by FROM escalation_alertgroup
 WHERE integration_id = %(integration)s ORDER BY id
"""
REQUESTS = (
    "SELECT status, made FROM escalation_intakerequest WHERE integration_id = %(integration)s ORDER BY id"
)
ACTIVE = """
SELECT count(*) FROM escalation_escalationprocess AS process
  JOIN escalation_alertgroup AS grouped ON grouped.process_id = process.id
 WHERE grouped.integration_id = %(integration)s AND process.state = 'active'
"""


@dataclass(frozen=True, slots=True)
class Group:
    key: str
    state: str
    occurrences: int
    ended_by: str


class Reporting:
    """One integration with a policy of its own, and its key."""

    def __init__(self, product: Product, format_: str, **mapping: object) -> None:
        self.product = product
        self.id, policy, self.key = uuid.uuid4(), uuid.uuid4(), uuid.uuid4().hex
        self.path = f"/{self.key[:8]}"
        hook = {"type": "address", "channel": "webhook", "address": product.third_party.origin + self.path}
        steps = json.dumps([{"after_s": 0, "targets": [hook]}])
        product.sql(POLICY, id=policy, name=f"flow {policy}")
        product.sql(VERSION, policy=policy, steps=steps)
        product.sql(
            INTEGRATION,
            id=self.id,
            name=f"flow {self.id}",
            format=format_,
            policy=policy,
            mapping=json.dumps(mapping),
            key=self.key,
        )

    @property
    def origin(self) -> str:
        return self.product.stack.base_url

    def groups(self) -> list[Group]:
        return [Group(*row) for row in self.product.sql(GROUPS, integration=self.id)]

    def states(self) -> list[str]:
        return [group.state for group in self.groups()]

    def statuses(self) -> list[int]:
        """What its requests were answered, the first one first."""
        return [status for status, _ in self.product.sql(REQUESTS, integration=self.id)]

    def outcomes(self) -> list[str]:
        rows = self.product.sql(REQUESTS, integration=self.id)
        return [each["outcome"] for _, made in rows for each in made]

    def rings(self) -> int:
        """How often its policy's hook was told."""
        return sum(each.path == self.path for each in list(self.product.third_party.requests))

    def wait_for_states(self, *states: str, timeout: float = 30) -> None:
        self.product.wait_for(lambda: self.states() == list(states), timeout, f"not {states}")

    def wait_for_rings(self, count: int, timeout: float = 30) -> None:
        self.product.wait_for(lambda: self.rings() >= count, timeout, f"not told {count} times")

    def is_silent(self) -> bool:
        """Whether no process of its groups tells anybody any more."""
        return self.product.sql(ACTIVE, integration=self.id) == [(0,)]
