"""Makes integrations in a throwaway database: of each format one that tells people, and one nobody.

A program of its own, since it needs Django set up for the stack's database. Reads one line of JSON,
``{"formats": [format, …]}``, and answers with ``{"told": {format: key}, "untold": {format: key}}``. The first
tells the members of the shop that is named like its format: each once, at once.
"""

import json
import sys

import django

django.setup()

from accounts.models import User  # noqa: E402
from escalation.models import Policy  # noqa: E402
from escalation.policies.definition import Definition  # noqa: E402
from escalation.policies.parsing import steps_of  # noqa: E402
from escalation.receiving.setting_up import integration_create  # noqa: E402
from escalation.services.policies import policy_create  # noqa: E402

#: Of the format that needs one: where things are in the bodies of benchmarks.storming.
MAPPINGS = {"generic": {"items": "alerts", "key": "id", "title": "name"}}


def policy_of(shop: str) -> Policy:
    people = User.objects.filter(memberships__shop__slug=shop).order_by("pk")
    targets = [{"type": "user", "user_id": str(person.pk), "channels": []} for person in people]
    policy, _ = policy_create(
        name=shop, definition=Definition(steps=steps_of([{"after_s": 0, "targets": targets}]))
    )
    return policy


def key_of(name: str, format_: str, policy: Policy | None) -> str:
    mapping = MAPPINGS.get(format_, {})
    return integration_create(name=name, format=format_, policy=policy, mapping=mapping)[0].key


def main() -> None:
    formats = json.loads(sys.stdin.readline())["formats"]
    told = {each: key_of(each, each, policy_of(each)) for each in formats}
    untold = {each: key_of(f"{each}, calm", each, None) for each in formats}
    print(json.dumps({"told": told, "untold": untold}), flush=True)


if __name__ == "__main__":
    main()
