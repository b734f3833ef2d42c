"""The demo's evening: 24 people in two groups, from registration to their matches, in seconds."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Final

import requests

from config.scenes import Scene, Site

WOMEN: Final = ("Ada", "Bea", "Cleo", "Dina", "Eva", "Fay", "Gia", "Hana", "Ines", "Jana", "Kira", "Lea")
MEN: Final = ("Abe", "Ben", "Cem", "Dan", "Eli", "Finn", "Gus", "Hugo", "Ivan", "Jon", "Kai", "Leo")
#: She likes whom she meets first, and so does he, but she reports him as well.
REPORTER: Final = "Ada"
SCOPES: Final = ("--scope", "dating:write", "--scope", "dating:read")
ROUND_S: Final = 1
#: Registering and confirming is given this long, or more on a machine that is slow.
REGISTER_S: Final = 2.0
READY_S: Final = 4
AT_ONCE: Final = 4
WITHIN_S: Final = 60.0
POLL_S: Final = 0.1

#: Makes the people, and prints their names and tokens. Passwords, which take long on purpose, they have none.
MAKE_PEOPLE: Final = """
import json
from datetime import date
from accounts.api.tokens import tokens_issue
from accounts.models import User
from dating.models import DatingProfile
tokens = {}
for women, names in ((True, %(women)r), (False, %(men)r)):
    for number, name in enumerate(names):
        user = User.objects.create_user(email=f"{name.lower()}@dating.example.com", first_name=name)
        DatingProfile.objects.create(
            user=user,
            birthday=date(1990 + number * 5 %% 12, 5, 1),
            city=("Lyon", "Lille")[number %% 2],
            seeks="men" if women else "women",
            manual_score=1 + number %% 3,
        )
        tokens[name] = str(tokens_issue(user).access)
print(json.dumps(tokens))
"""


class DatingScene:
    title = "Dating"

    @contextmanager
    def providers(self) -> Iterator[Mapping[str, str]]:
        """Needs none: the built-in rooms are pages of the product."""
        yield {}

    def play(self, site: Site) -> list[str]:
        made = site.manage("shell", "--no-imports", "-c", MAKE_PEOPLE % {"women": WOMEN, "men": MEN})
        key = site.manage("create_api_key", "demo: dating", *SCOPES).stdout.split()[-1]
        tokens: dict[str, str] = json.loads(made.stdout.splitlines()[-1])
        people = {name: Caller(site.base_url, token) for name, token in tokens.items()}
        organiser = Caller(site.base_url, key)
        site.say(f"{len(people)} people register for an evening, and confirm …")
        evening = Evening(organiser, people)
        try:
            return evening.run(site)
        finally:
            for caller in (organiser, *people.values()):
                caller.close()


class Caller:
    """Somebody who uses the API."""

    def __init__(self, base_url: str, token: str) -> None:
        self._api = f"{base_url}/api/v1/"
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str) -> Any:
        return self._asked("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._asked("POST", path, json=body)

    def close(self) -> None:
        self._http.close()

    def _asked(self, method: str, path: str, **more: Any) -> Any:
        answer = self._http.request(method, self._api + path, timeout=30, **more)
        answer.raise_for_status()
        return answer.json()


@dataclass(frozen=True, slots=True)
class Reaction:
    by: str
    about: str
    kind: str


class Evening:
    """One evening, by those who make it and take part in it."""

    def __init__(self, organiser: Caller, people: Mapping[str, Caller]) -> None:
        self.organiser = organiser
        self.people = people
        self.path = ""

    def run(self, site: Site) -> list[str]:
        self.create()
        self.all_do("register")
        self._wait_for_step("confirming")
        self.all_do("confirm")
        self._wait_for_step("ready_check")
        groups = self.sheet()["groups"]
        site.say(f"{len(groups)} groups; all say that they are ready, so it begins at once …")
        self.all_do("ready")
        self._wait(lambda: self.event()["current_round"] > 3 or self.is_over())
        reactions = list(self.reactions())
        self.react(reactions)
        self._wait(self.is_over)
        self._wait(lambda: all(map(self.is_told, self.people)))
        sheet = self.sheet()
        self.show(site, sheet, reactions)
        return self.faults(sheet, reactions)

    def create(self) -> None:
        """Create an event that asks for confirmation at once, and closes when all have had time for it."""
        everyone_s = 3 * len(self.people) * self.request_s()
        starts_at = datetime.now(UTC) + timedelta(seconds=max(REGISTER_S, everyone_s) + READY_S)
        event = self.organiser.post(
            "dating/events/",
            {
                "title": "Friday at eight",
                "starts_at": starts_at.isoformat(),
                "time_zone": "Europe/Paris",
                "two_pools": True,
                "users_limit": len(self.people) // 2,
                "confirm_before_s": 3600,
                "close_before_s": READY_S,
                "rules_before_s": READY_S,
                "round_s": ROUND_S + ceil(everyone_s),
                "break_s": 0,
            },
        )
        self.path = f"dating/events/{event['id']}/"

    def request_s(self) -> float:
        """How long a request takes on this machine, as it is now."""
        asked_at = time.monotonic()
        for _ in range(3):
            self.organiser.get("dating/events/")
        return (time.monotonic() - asked_at) / 3

    def all_do(self, command: str) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda each: each.post(f"{self.path}{command}/", {}), self.people.values()))

    def event(self) -> Any:
        return self.organiser.get(self.path)

    def sheet(self) -> Any:
        return self.organiser.get(f"{self.path}run-sheet/")

    def is_over(self) -> bool:
        return self.event()["step"] in ("finished", "skipped")

    def reactions(self) -> Iterator[Reaction]:
        """Everybody likes whom they met first; she also whom she met second, and he whom he met third."""
        for one, other, number in self.met():
            if number in (1, 2):
                yield Reaction(one, other, "like")
            if number in (1, 3):
                yield Reaction(other, one, "like")
            if number == 1 and one == REPORTER:
                yield Reaction(one, other, "report")

    def met(self) -> Iterator[tuple[str, str, int]]:
        """Who meets whom in which round; the woman first."""
        for group in self.sheet()["groups"]:
            names = {member["registration_id"]: member["name"] for member in group["members"]}
            for date in group["dates"]:
                pair = sorted((names[date["first"]], names[date["second"]]), key=lambda each: each in MEN)
                yield pair[0], pair[1], date["round"]

    def react(self, reactions: Iterable[Reaction]) -> None:
        ids = {
            member["name"]: member["registration_id"]
            for group in self.sheet()["groups"]
            for member in group["members"]
        }

        def react(said: Reaction) -> None:
            body = {"about": ids[said.about], "kind": said.kind}
            self.people[said.by].post(f"{self.path}reactions/", body)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(react, reactions))

    def inbox(self, name: str) -> Any:
        return self.people[name].get("inbox/?page_size=100")["results"]

    def is_told(self, name: str) -> bool:
        return any(item["kind"] == "dating.finished" for item in self.inbox(name))

    def show(self, site: Site, sheet: Mapping[str, Any], reactions: Sequence[Reaction]) -> None:
        results = sheet["results"] or {}
        said = Counter(reaction.kind for reaction in reactions)
        sizes = " + ".join(str(len(group["members"])) for group in sheet["groups"])
        site.say("")
        for name, value in (
            ("Groups", f"{len(sheet['groups'])} ({sizes} people)"),
            ("Rounds", results.get("rounds")),
            ("Dates held", results.get("dates_held")),
            ("Likes and reports", f"{said['like']} and {said['report']}"),
            ("Matches", f"{results.get('matches')} (one pair less, by the report)"),
        ):
            site.say(f"  {name:<24}{value}")

    def faults(self, sheet: Mapping[str, Any], reactions: Sequence[Reaction]) -> list[str]:
        """Compare what everybody was told with what they were to be."""
        rounds = len(WOMEN) // 2
        faults = []
        if sheet["event"]["step"] != "finished":
            faults.append(f"The evening is not finished, but {sheet['event']['step']}.")
        if sorted(len(group["members"]) for group in sheet["groups"]) != [len(WOMEN)] * 2:
            faults.append("The groups are not two of twelve.")
        if Counter(number for _, _, number in self.met()) != dict.fromkeys(range(1, rounds + 1), len(WOMEN)):
            faults.append("Not everybody met somebody in each round.")
        expected = matches_by_name(reactions)
        for name in self.people:
            items = self.inbox(name)
            links = [item["data"]["partner"] for item in items if item["kind"] == "dating.link"]
            finals = [item["data"]["matches"] for item in items if item["kind"] == "dating.finished"]
            if len(links) != rounds or len(set(links)) != rounds:
                faults.append(f"{name} was sent to {links}.")
            if [sorted(match["name"] for match in found) for found in finals] != [sorted(expected[name])]:
                faults.append(f"{name} was told of {finals}, not of {expected[name]}.")
        return faults

    def _wait_for_step(self, step: str) -> None:
        self._wait(lambda: self.event()["step"] == step)

    def _wait(self, until: Callable[[], bool]) -> None:
        """Wait for something, for a while: what is missing then is among the faults."""
        deadline = time.monotonic() + WITHIN_S
        while not until() and time.monotonic() < deadline:
            time.sleep(POLL_S)


def matches_by_name(reactions: Iterable[Reaction]) -> dict[str, set[str]]:
    """Worked out anew here: who liked each other, and reported nobody of the two."""
    reactions = set(reactions)
    found: dict[str, set[str]] = {name: set() for name in (*WOMEN, *MEN)}
    for reaction in reactions:
        back = Reaction(reaction.about, reaction.by, "like")
        reports = {replace(reaction, kind="report"), replace(back, kind="report")}
        if reaction.kind == "like" and back in reactions and not reports & reactions:
            found[reaction.by].add(reaction.about)
    return found


SCENE: Final[Scene] = DatingScene()
