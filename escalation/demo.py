"""The demo's escalations: one stopped, one that runs out, one acknowledged by a key press; and a storm."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from config.scenes import Site
from tests.servers.twilio import Created, Twilio

PUBLIC_URL: Final = "https://tocsin.example.com"
STOPPED, RUN_OUT, ACKNOWLEDGED = "Orders: stopped", "Orders: run out", "Orders: acknowledged"
# Each has a phone of its own, so that a call says whose it is.
PHONES: Final = {STOPPED: "+33612345671", RUN_OUT: "+33612345672", ACKNOWLEDGED: "+33612345673"}
MANAGER: Final = "+33612345679"
#: Who is called when services fail, and how many do at once.
WATCH: Final = "+33612345674"
FAILING: Final = 40
# As the staff set it up: the key is shown to them alone.
INTEGRATION: Final = """
from escalation.policies.definition import Definition, Step, Target
from escalation.receiving.setting_up import integration_create
from escalation.services.policies import policy_create
watch = Definition(steps=(Step(0, (Target("address", channels=("phone",), address="{phone}"),)),))
policy, _ = policy_create(name="Night watch", definition=watch)
print(integration_create(name="Prometheus", format="alertmanager", policy=policy)[0].key)
"""
#: Seconds from the start to what is never to come; more than the slowest machine takes to stop it.
LATER_S: Final = 120.0
WITHIN_S: Final = 20.0
POLL_S: Final = 0.05


@dataclass(slots=True)
class EscalationScene:
    """Needs Twilio, which is played by the local server of the tests."""

    title: str = "Escalation"
    _twilio: Twilio = field(default_factory=Twilio)

    @contextmanager
    def providers(self) -> Iterator[Mapping[str, str]]:
        with self._twilio as twilio:
            yield {
                "PUBLIC_URL": PUBLIC_URL,
                "TWILIO_BASE_URL": twilio.origin,
                "TWILIO_ACCOUNT_SID": twilio.account_sid,
                "TWILIO_AUTH_TOKEN": twilio.auth_token,
                "TWILIO_SMS_FROM": "+33755555555",
                "TWILIO_CALL_FROM": "+33755555555",
                "TWILIO_TWIML_URL": f"{PUBLIC_URL}/say.xml",
            }

    def play(self, site: Site) -> list[str]:
        with _Machine(site) as machine:
            site.say("Starting three escalations over HTTP …")
            started_at = time.time()
            for process_id, phone in PHONES.items():
                machine.start(process_id, started_at, phone, texts_only=process_id == RUN_OUT)
            ringing = self._call_to(PHONES[STOPPED])
            machine.stop(STOPPED)
            answered = self._call_to(PHONES[ACKNOWLEDGED])
            self._twilio.pick_up(answered, at=site.base_url, answered_by="human")
            said = self._twilio.press(answered, "1", at=site.base_url)
            _wait(lambda: machine.state(RUN_OUT) == "unanswered")
            _wait(lambda: ringing.sid in self._twilio.hung_up)
            self._show(site, machine, ringing)
            return [*self._faults(machine, ringing, said.text), *self._storm(site, machine)]

    def _storm(self, site: Site, machine: "_Machine") -> list[str]:
        """Have forty services fail at once, as Alertmanager reports them, and come back."""
        site.say("")
        site.say(f"{FAILING} services fail at once, and Alertmanager reports each …")
        key = site.manage("shell", "-v", "0", "-c", INTEGRATION.format(phone=WATCH)).stdout.split()[-1]
        machine.report(key, "firing")
        call = self._call_to(WATCH)
        groups = machine.groups(state="open")
        (summary,) = [group["title"] for group in groups if group["is_storm"]] or ["no summary"]
        machine.report(key, "resolved")
        _wait(lambda: call.sid in self._twilio.hung_up and not machine.groups(state="open"))
        calls, left = sum(each.to == WATCH for each in self._twilio.calls), machine.groups(state="open")
        site.say(f"  calls: {calls}, which said: {summary}; still open after “resolved”: {len(left)}")
        faults = []
        if calls != 1 or not summary.startswith(f"{FAILING} alerts at once"):
            faults.append(f"{FAILING} failures were {calls} calls, and the summary: {summary}.")
        if left:
            faults.append(f"{len(left)} groups are open, though all is well again.")
        return faults

    def _call_to(self, phone: str) -> Created:
        _wait(lambda: any(call.to == phone for call in list(self._twilio.calls)))
        return next(call for call in self._twilio.calls if call.to == phone)

    def _told(self, process_id: str) -> tuple[int, int]:
        """Return how many calls and texts arrived for a process."""
        phone = PHONES[process_id]
        calls = sum(call.to == phone for call in self._twilio.calls)
        return calls, sum(text.to == phone for text in self._twilio.messages)

    def _show(self, site: Site, machine: "_Machine", ringing: Created) -> None:
        site.say("")
        for process_id in PHONES:
            calls, texts = self._told(process_id)
            history = machine.history(process_id)
            by = f" by {history['ended_via']}" if history["ended_via"] else ""
            cancelled = sum(
                notification["status"] == "cancelled" for notification in history["notifications"]
            )
            hung_up = ", 1 hung up" if process_id == STOPPED and ringing.sid in self._twilio.hung_up else ""
            outcome = f"calls: {calls}{hung_up}, texts: {texts}, cancelled: {cancelled}"
            site.say(f"  {process_id:<24}{history['state'] + by:<22}{outcome}")

    def _faults(self, machine: "_Machine", ringing: Created, said: str) -> list[str]:
        faults = []
        expected = {STOPPED: ("stopped", (1, 0)), RUN_OUT: ("unanswered", (0, 2))}
        expected[ACKNOWLEDGED] = ("acknowledged", (1, 0))
        for process_id, outcome in expected.items():
            found = (machine.state(process_id), self._told(process_id))
            if found != outcome:
                faults.append(f"{process_id}: expected {outcome}, found {found}.")
        if any(call.to == MANAGER for call in self._twilio.calls):
            faults.append("The manager was called, though both escalations before that had ended.")
        if ringing.sid not in self._twilio.hung_up:
            faults.append("The call that rang at the stop was not hung up.")
        if "acknowledged" not in said:
            faults.append(f"The call did not say that it is acknowledged, but: {said}")
        return faults


class _Machine(requests.Session):
    """The ordering system, which starts and stops escalations."""

    def __init__(self, site: Site) -> None:
        scopes = ("--scope", "escalations:write", "--scope", "escalations:read")
        key = site.manage("create_api_key", "demo: orders", *scopes).stdout.split()[-1]
        super().__init__()
        self._url = site.base_url
        self.trust_env = False
        self.headers["Authorization"] = f"Bearer {key}"

    def start(self, process_id: str, at: float, phone: str, *, texts_only: bool) -> None:
        """Ring at once and then the manager, or send two texts."""
        first, later = {"channel": "phone", "at": at, "phone-number": phone}, at + LATER_S
        told: list[dict[str, Any]] = [first, {**first, "at": later, "phone-number": MANAGER}]
        if texts_only:
            told = [{**first, "channel": "sms"}, {**first, "channel": "sms", "at": at + 1}]
        self._post({"process-id": process_id, "action": "start", "notifications": told})

    def report(self, key: str, status: str) -> None:
        """Report of each service that it fails, or is well again, as Alertmanager does."""
        alerts = [
            {
                "status": status,
                "labels": {"alertname": "ServiceDown", "service": f"service-{number:02}"},
                "annotations": {"summary": f"Service {number:02} is down"},
                "startsAt": "2026-11-30T02:59:58Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": f"{number:016x}",
            }
            for number in range(1, FAILING + 1)
        ]
        body = {"version": "4", "status": status, "receiver": "tocsin", "groupKey": "{}", "alerts": alerts}
        self._post(body, to=f"integrations/alertmanager/{key}/")

    def groups(self, *, state: str) -> list[dict[str, Any]]:
        return self._got("groups/", state=state)["results"]

    def stop(self, process_id: str) -> None:
        self._post({"process-id": process_id, "action": "stop"})

    def history(self, process_id: str) -> dict[str, Any]:
        return self._got(f"escalations/{process_id}/")

    def state(self, process_id: str) -> str:
        return str(self.history(process_id)["state"])

    def _got(self, path: str, **query: str) -> dict[str, Any]:
        answer = self.get(f"{self._url}/api/v1/{path}", params=query, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def _post(self, body: dict[str, Any], to: str = "escalations/") -> None:
        self.post(f"{self._url}/{to}", json=body, timeout=30).raise_for_status()


def _wait(until: Callable[[], bool]) -> None:
    """Wait for something, for a while: what is missing then is among the faults."""
    deadline = time.monotonic() + WITHIN_S
    while not until() and time.monotonic() < deadline:
        time.sleep(POLL_S)


SCENE: Final = EscalationScene()
