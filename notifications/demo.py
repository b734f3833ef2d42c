"""What the demo sends, and whom it expects to be told: worked out from the fixture in plain Python.

Shares no code and no SQL with the engine, so that the one can prove the other.
"""

import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

CRITICAL_LABEL = "theft"
LABELS = ("theft", "theft", "suspicious", "suspicious", "normal")
DEFAULT_CHANNEL = "third_party"


class Telling(NamedTuple):
    """One person, told of one alert, by one channel."""

    alert: str
    user: str
    channel: str


@dataclass(frozen=True, slots=True)
class DemoAlert:
    """An alert to post, and the shop that its ``location`` means."""

    payload: dict[str, Any]
    shop: str

    @property
    def id(self) -> str:
        return str(self.payload["alert_uuid"])


@dataclass(frozen=True, slots=True)
class Expectation:
    """Who is to be told of what, and how many are not, by the reason."""

    told: Counter[Telling]
    suppressed: Counter[str]


class Cast:
    """The shops and people of a fixture."""

    def __init__(self, fixture: Path) -> None:
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in json.loads(fixture.read_text()):
            rows.setdefault(row["model"], []).append({"pk": row["pk"], **row["fields"]})
        self.shops = rows["accounts.shop"]
        self._memberships = rows["accounts.membership"]
        self._users = {row["pk"]: row for row in rows["accounts.user"]}
        self._levels = {row["pk"]: row["level"] for row in rows["notifications.preference"]}
        self._contact_points = rows["notifications.contactpoint"]

    def name(self, user: str) -> str:
        row = self._users.get(user)
        return (
            f"{row['first_name']} {row['last_name']}" if row else f"user {user}, who is not in the fixture,"
        )

    def staff(self, shop: str) -> list[str]:
        """Return who works at a shop and has an account in use."""
        working = [row["user"] for row in self._memberships if row["shop"] == shop and not row["left_at"]]
        return [user for user in working if self._users[user]["is_active"]]

    def expect(self, alerts: Iterable[DemoAlert]) -> Expectation:
        told: Counter[Telling] = Counter()
        suppressed: Counter[str] = Counter()
        for alert in alerts:
            for user in self.staff(alert.shop):
                for channel, reason in self._ways(user, str(alert.payload["label"])):
                    if reason:
                        suppressed[reason] += 1
                    else:
                        told[Telling(alert.id, user, channel)] += 1
        return Expectation(told, suppressed)

    def _ways(self, user: str, label: str) -> list[tuple[str, str]]:
        """Return the channels that lead to somebody, each with the reason for which it stays silent."""
        unwanted = "level" if self._levels.get(user) == "CRITICAL" and label != CRITICAL_LABEL else ""
        own = [row for row in self._contact_points if row["user"] == user and not row["deleted_at"]]
        if not own:
            return [(DEFAULT_CHANNEL, unwanted)]
        return [(row["channel"], unwanted if row["is_enabled"] else "disabled") for row in own]


def alerts_for(cast: Cast, count: int, seed: int) -> list[DemoAlert]:
    """Return alerts for all shops in turn, named by slug or by name, with every label."""
    chance = random.Random(seed)  # noqa: S311
    alerts = []
    for number in range(count):
        shop = cast.shops[number % len(cast.shops)]
        clip = uuid.UUID(int=chance.getrandbits(128), version=4)
        payload = {
            "url": f"https://media.example.com/{clip}.mp4",
            "location": shop[chance.choice(("slug", "name"))],
            "alert_uuid": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "label": chance.choice(LABELS),
            "time_spotted": round(time.time() - chance.uniform(1, 60), 3),
        }
        alerts.append(DemoAlert(payload, shop["pk"]))
    return alerts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: ``arrived`` as the third party has it, ``deliveries`` as the API shows them."""

    arrived: list[dict[str, Any]]
    deliveries: list[dict[str, Any]]

    def tellings(self) -> tuple[Counter[Telling], list[str]]:
        """Return who was told, and what of it makes no sense.

        The third party is believed about what it got; the product about its own inbox and console.
        """
        by_id = {row["id"]: row for row in self.deliveries}
        told: Counter[Telling] = Counter()
        faults = []
        for request in self.arrived:
            delivery = by_id.get(request["id"])
            if delivery is None or delivery["user_id"] != request["user"]:
                faults.append(
                    f"The third party got {request['id']} for {request['user']}, which is no delivery."
                )
            else:
                told[Telling(delivery["notification"]["source_id"], request["user"], DEFAULT_CHANNEL)] += 1
        for row in self.deliveries:
            if row["status"] == "sent" and row["channel"] != DEFAULT_CHANNEL:
                told[Telling(row["notification"]["source_id"], row["user_id"], row["channel"])] += 1
        return told, faults

    def latencies_s(self, posted_at: dict[str, float]) -> list[float]:
        """Return the seconds from the POST of an alert to each arrival at the third party, sorted."""
        alert_of = {row["id"]: row["notification"]["source_id"] for row in self.deliveries}
        known = [request for request in self.arrived if request["id"] in alert_of]
        return sorted(request["at"] - posted_at[alert_of[request["id"]]] for request in known)


def faults_of(cast: Cast, expected: Expectation, outcome: Outcome) -> list[str]:
    """Say in words where what came of it is not what was expected; nothing if all is well."""
    told, faults = outcome.tellings()
    for telling in sorted(told.keys() | expected.told.keys()):
        due, got = expected.told[telling], told[telling]
        if due != got:
            was_told = f"was told {got} times" if got else "was not told"
            what = f"of alert {telling.alert} by {telling.channel}"
            faults.append(
                f"{cast.name(telling.user)} {was_told} {what}{'' if due else ' and should not have been'}."
            )
    silent = Counter(row["reason"] for row in outcome.deliveries if row["status"] == "suppressed")
    if silent != expected.suppressed:
        faults.append(f"Suppressed were {dict(silent)}; expected were {dict(expected.suppressed)}.")
    return faults
