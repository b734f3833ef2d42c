"""The demo's outbreak: a small town, one infected person, and whom that exposed (tracing.reference)."""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from config.scenes import Site
from tests.servers.fcm import FCM
from tracing.reference import Exposure, Meetings, Record, Rule, exposures

PEOPLE: Final = 150
FIRST: Final = 1000
DAYS: Final = 5
DAY_S: Final = 86_400
#: Every so many has no app that can be told.
WITHOUT_APP: Final = 9
RULE: Final = Rule(rounds=3, time_min=900, distance_max=3.0)
SEED: Final = 1509
WITHIN_S: Final = 20.0
POLL_S: Final = 0.1
LINES: Final = 24
SCOPES: Final = ("tracing:write", "tracing:read", "tracing:filters")
TEXTS: Final = {
    "en": {"title": "You were near an infected person", "shortDescription": "Please get tested."},
    "fr": {"title": "Vous étiez près d'une personne infectée", "shortDescription": "Faites-vous tester."},
}


def town(until: int, chance: random.Random) -> list[Record]:
    """Return what the phones of a town see: households at night, workplaces by day, chance meetings."""
    people = list(range(FIRST, FIRST + PEOPLE))
    homes = [people[at : at + 3] for at in range(0, PEOPLE, 3)]
    at_work = chance.sample(people, PEOPLE * 2 // 3)
    places = [at_work[at : at + 8] for at in range(0, len(at_work), 8)]
    found: list[Record] = []
    for day in range(DAYS):
        morning = until - (DAYS - day) * DAY_S
        for home in homes:
            found += _meetings(home, morning + 16 * 3600, 0.25, (1200, 7200), chance)
        for place in places:
            found += _meetings(place, morning + 4 * 3600, 0.15, (300, 3600), chance)
        for _ in range(PEOPLE // 3):
            found += _meetings(chance.sample(people, 2), morning + 11 * 3600, 1.0, (60, 1500), chance)
    return found


def _meetings(
    group: list[int], around: int, how_often: float, lengths: tuple[int, int], chance: random.Random
) -> Iterator[Record]:
    for place, one in enumerate(group):
        for other in group[place + 1 :]:
            if chance.random() < how_often:
                start, length = around + chance.randrange(4 * 3600), chance.randint(*lengths)
                distance = chance.randrange(30, 400) / 100
                yield Record(one, other, start, start + length, distance)
                if chance.random() < 0.5:  # the other phone saw it too, a little later
                    yield Record(other, one, start + 20, start + length + 20, distance)


def tree_lines(root: int, found: list[dict[str, Any]]) -> list[str]:
    """Return a tree as text: each device below the one that it was exposed by."""
    children: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for exposure in found:
        children[exposure["path"][-2]].append(exposure)
    lines = [f"{root}  infected"]

    def add(device: int, indent: str) -> None:
        below = sorted(children[device], key=lambda each: each["onset"])
        for number, exposure in enumerate(below, start=1):
            branch, bar = ("└─ ", "   ") if number == len(below) else ("├─ ", "│  ")
            onset = exposure["onset"][:16].replace("T", " ")
            near = f"{exposure['seconds'] // 60} min, {exposure['distance_m']:.1f} m"
            told = "" if exposure["told_at"] else ", no app"
            lines.append(f"{indent}{branch}{exposure['device_id']}  {onset}, {near}{told}")
            add(exposure["device_id"], indent + bar)

    add(root, "")
    return lines


@dataclass(slots=True)
class Outbreak:
    """The scene. ``fcm`` plays Firebase, which pushes to phones."""

    title: str = "Tracing: an outbreak in a small town"
    fcm: FCM = field(default_factory=FCM)

    @contextmanager
    def providers(self) -> Iterator[Mapping[str, str]]:
        with self.fcm as fcm:
            yield {
                "FCM_SERVICE_ACCOUNT": fcm.service_account,
                "FCM_BASE_URL": fcm.origin,
                "FCM_TOKEN_URL": fcm.token_url,
            }

    def play(self, site: Site) -> list[str]:
        made = site.manage("create_api_key", "demo-tracing", *(p for s in SCOPES for p in ("--scope", s)))
        with requests.Session() as http:
            http.trust_env = False
            http.headers["Authorization"] = f"Bearer {made.stdout.split()[-1]}"
            return self.act(site, Service(http, f"{site.base_url}/api/v1/tracing"))

    def act(self, site: Site, service: "Service") -> list[str]:
        chance, now = random.Random(SEED), int(time.time())  # noqa: S311
        records = town(now, chance)
        meetings = Meetings(records)
        patient = max(sorted(meetings.met_by), key=lambda person: len(meetings.met_by[person]))
        expected = exposures(meetings, patient, RULE, now - 14 * DAY_S, now)
        service.set_up(records, chance)
        site.say(f"  {PEOPLE} people, {len(records)} records of {DAYS} days; device {patient} is infected …")
        started = time.monotonic()
        case = service.post("statuses/", {"device_id": patient, "status": 1})["case_id"]
        found = self.wait(
            service, case, {token_of(exposure.device) for exposure in expected if has_app(exposure.device)}
        )
        self.show(site, patient, found, time.monotonic() - started)
        service.post("statuses/", {"device_id": patient, "status": 3})
        return self.faults(patient, expected, found)

    def wait(self, service: "Service", case: str, tokens: set[str]) -> dict[str, Any]:
        """Wait until all have been told, and no longer than is right."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            found = service.get(f"cases/{case}/")
            told = {message["token"] for message in list(self.fcm.messages)}
            is_searched = all(search["searched_at"] for search in found["searches"])
            if (is_searched and tokens <= told) or time.monotonic() > deadline:
                return found
            time.sleep(POLL_S)

    def show(self, site: Site, patient: int, found: dict[str, Any], took_s: float) -> None:
        lines = tree_lines(patient, found["exposures"])
        for line in lines[:LINES]:
            site.say(f"  {line}")
        if len(lines) > LINES:
            site.say(f"  … and {len(lines) - LINES} more")
        for degree in found["by_degree"]:
            counts = f"{degree['exposed']:>5} exposed, {degree['told']:>4} told"
            site.say(f"  {'Degree ' + str(degree['degree']):<14}{counts}")
        site.say(f"  {'Told after':<14}{took_s:>7.1f} s")

    def faults(self, patient: int, expected: list[Exposure], found: dict[str, Any]) -> list[str]:
        """Say in words where what came of it is not what the reference says."""
        wanted = {exposure.device: (exposure.degree, exposure.seconds) for exposure in expected}
        got = {
            exposure["device_id"]: (exposure["degree"], exposure["seconds"])
            for exposure in found["exposures"]
        }
        faults = [
            f"Device {device}: expected {wanted.get(device)}, found {got.get(device)} (degree, seconds)."
            for device in sorted(wanted.keys() | got.keys())
            if wanted.get(device) != got.get(device)
        ]
        due = {token_of(device) for device in wanted if has_app(device)}
        arrived = Counter(message["token"] for message in list(self.fcm.messages))
        own = token_of(patient)
        faults += [
            f"{token} was told {arrived[token]} times." for token in sorted(due) if arrived[token] != 1
        ]
        faults += [
            f"{token} was told, and was not exposed." for token in sorted(arrived.keys() - due - {own})
        ]
        return faults


def has_app(device: int) -> bool:
    return device % WITHOUT_APP != 0


def token_of(device: int) -> str:
    return f"demo-phone-{device}"


@dataclass(frozen=True, slots=True)
class Service:
    """The product, as a health service with a key uses it."""

    http: requests.Session
    url: str

    def set_up(self, records: list[Record], chance: random.Random) -> None:
        """Register the phones, set the filter, and upload what they saw."""
        for device in range(FIRST, FIRST + PEOPLE):
            token = token_of(device) if has_app(device) else ""
            said = {
                "push_token": token,
                "platform": chance.choice(("ios", "android")),
                "language": chance.choice(("en", "fr")),
            }
            self._asked("PUT", f"devices/{device}/", said)
        rule = {"rounds": RULE.rounds, "time_min_s": RULE.time_min, "distance_max_m": RULE.distance_max}
        self.post("filters/", {"name": "demo", "is_active": True, "content": TEXTS, **rule})
        uploaded = [
            {
                "my_id": record.my_id,
                "other_id": record.other_id,
                "timestamp_start": record.start,
                "timestamp_end": record.end,
                "interval": record.end - record.start,
                "rssi": -60,
                "distance": record.distance,
                "platform": "android",
            }
            for record in records
        ]
        self.post("interactions/", uploaded)

    def post(self, path: str, body: Any) -> Any:
        return self._asked("POST", path, body)

    def get(self, path: str) -> Any:
        return self._asked("GET", path)

    def _asked(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, f"{self.url}/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()


SCENE = Outbreak()
