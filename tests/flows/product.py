"""The product as real processes, with a third party beside it, as flow tests and chaos drive it."""

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import requests

from config import embedded
from config.processes import Stack
from notifications.channels.transport import http_url
from tests import keys
from tests.servers.third_party import Request, ThirdParty

# Short, so that what a killed worker held is taken up soon; still above the longest send.
LEASE_S = 12
SEND_TIMEOUT_S = 5
RETRY_WAIT_S = 0.5
POLL_S = 0.05
SCOPES = (
    "alerts:write", "alerts:read", "preferences:write", "deliveries:read", "deliveries:write", "metrics:read",
)  # fmt: skip

SHOP = "INSERT INTO accounts_shop (id, slug, name) VALUES (uuidv7(), %(slug)s, %(name)s) RETURNING id"
STAFF = """
WITH person AS (
    INSERT INTO accounts_user (uuid, password, is_superuser, email, first_name, last_name, language,
                               time_zone, phone, role, is_active, is_staff, created_at)
    SELECT uuidv7(), '!', false, number || '@' || %(slug)s || '.example.com', 'Ana', '', 'en', 'UTC', '',
           '', true, false, now() - interval '1 year'
      FROM generate_series(1, %(count)s) AS number RETURNING uuid
)
INSERT INTO accounts_membership (shop_id, user_id, joined_at)
SELECT %(shop)s, uuid, now() - interval '1 year' FROM person RETURNING user_id::text
"""
CONTACT_POINT = """
INSERT INTO notifications_contactpoint
       (id, user_id, channel, address, label, is_enabled, lane, secret_version, created_at, confirmed_at)
VALUES (uuidv7(), %(user)s, %(channel)s, %(address)s, '', %(enabled)s, %(lane)s, 1,
        now() - interval '1 day', now() - interval '1 day')
"""
UNDER_WAY = """
SELECT (SELECT count(*) FROM notifications_alert WHERE fanned_out_at IS NULL)
     + (SELECT count(*) FROM notifications_outgoing)
"""
IN_FLIGHT = "SELECT delivery_id::text FROM notifications_outgoing WHERE lease_until IS NOT NULL"
OF_ALERTS = """
SELECT delivery.id::text, delivery.user_id::text, delivery.status, delivery.reason, delivery.attempts,
       notification.source_id
  FROM notifications_delivery AS delivery
  JOIN notifications_notification AS notification ON notification.id = delivery.notification_id
 WHERE notification.source_type = 'alert' AND notification.source_id = ANY (%(alerts)s)
"""


@dataclass(frozen=True, slots=True)
class Shop:
    id: str
    slug: str
    staff: list[str]

    def alert(self, label: str = "theft", **fields: Any) -> dict[str, Any]:
        """Return an alert to post."""
        return {
            "url": "https://media.example.com/clip.mp4",
            "location": self.slug,
            "alert_uuid": str(uuid.uuid4()),
            "label": label,
            "time_spotted": round(time.time(), 3),
            **fields,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery as the database has it."""

    id: str
    user: str
    status: str
    reason: str
    attempts: int
    alert: str


@dataclass(slots=True)
class Product:
    """A stack of real processes in a home of its own; ``third_party`` runs in this process."""

    home: Path
    env: Mapping[str, str] = field(default_factory=dict)
    workers: int = 2
    migrate: bool = True
    #: More commands of manage.py, by the name of their process.
    more: Mapping[str, Sequence[str]] = field(default_factory=dict)
    third_party: ThirdParty = field(init=False)
    stack: Stack = field(init=False)
    http: requests.Session = field(init=False)
    key: str = field(init=False)
    _connection: psycopg.Connection | None = field(init=False, default=None)

    def __enter__(self) -> Self:
        self.third_party = ThirdParty().__enter__()
        env = {
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "THIRD_PARTY_URL": self.third_party.url,
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "LEASE_S": str(LEASE_S),
            "SEND_TIMEOUT_S": str(SEND_TIMEOUT_S),
            "RETRY_WAIT_S": str(RETRY_WAIT_S),
            **self.env,
        }
        self.http = self.new_session()
        try:
            parts = {"workers": self.workers, "migrate": self.migrate, "more": self.more}
            self.stack = Stack(self.home, **parts, env=env).__enter__()
            self.key = self.new_key("flows", *SCOPES)
            self.http.headers["Authorization"] = f"Bearer {self.key}"
            self.wait_until_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        if self._connection is not None:
            self._connection.close()
        if hasattr(self, "stack"):
            self.stack.stop()
        embedded.destroy(at=self.home)
        self.third_party.__exit__(None, None, None)

    # --- As a machine --------------------------------------------------------------------------------

    @staticmethod
    def new_session() -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        # Between two requests the server may end a connection that was kept.
        session.headers["Connection"] = "close"
        return session

    def new_key(self, name: str, *scopes: str) -> str:
        return keys.insert(self.sql, name, *scopes)

    def call(self, method: str, path: str, *, session: requests.Session | None = None, **options: Any) -> Any:
        url = f"{self.stack.base_url}{path}"
        return (session or self.http).request(method, url, timeout=30, **options)

    def post(self, alert: Mapping[str, Any], *, session: requests.Session | None = None) -> int:
        """Post an alert; returns the status of the answer."""
        return int(self.call("POST", "/webhooks/alerts/", json=alert, session=session).status_code)

    def wait_until_ready(self, timeout: float = 30) -> None:
        """Wait until the product finds nothing broken about itself."""
        deadline = time.monotonic() + timeout
        while (answer := self.call("GET", "/health/ready")).status_code != 200:
            assert time.monotonic() < deadline, f"not ready after {timeout} s: {answer.text}"
            time.sleep(POLL_S)

    # --- As one who sees the database ------------------------------------------------------------------

    def sql(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement on a connection that is kept, since conditions ask over and over."""
        kept = self._connection
        if kept is not None and not kept.closed:
            try:
                return self._rows(kept.execute(statement, parameters))  # type: ignore[arg-type]
            except psycopg.OperationalError:
                if not kept.closed:
                    raise
        # The first, or PostgreSQL has been away since.
        url = self.stack.env.get("DATABASE_URL") or embedded.database_url(at=self.home)
        self._connection = psycopg.connect(url, connect_timeout=10, autocommit=True)
        return self._rows(self._connection.execute(statement, parameters))  # type: ignore[arg-type]

    @staticmethod
    def _rows(cursor: psycopg.Cursor) -> list[tuple[Any, ...]]:
        return cursor.fetchall() if cursor.description else []

    def shop(self, staff: int, *, slug: str = "") -> Shop:
        """Make a shop with so many people, who have worked there for long."""
        slug = slug or f"shop-{uuid.uuid4().hex[:8]}"
        ((shop,),) = self.sql(SHOP, slug=slug, name=slug.title())
        people = self.sql(STAFF, shop=shop, slug=slug, count=staff)
        return Shop(str(shop), slug, [user for (user,) in people])

    def contact_point(self, user: str, channel: str, address: str = "", *, enabled: bool = True) -> None:
        lane = http_url.lane(address) if address else channel
        self.sql(CONTACT_POINT, user=user, channel=channel, address=address, enabled=enabled, lane=lane)

    def rows(self, *alerts: Mapping[str, Any]) -> list[Row]:
        """Return the deliveries of alerts."""
        found = self.sql(OF_ALERTS, alerts=[each["alert_uuid"] for each in alerts])
        return [Row(*each) for each in found]

    def in_flight(self) -> set[str]:
        """Return the deliveries that workers hold at this moment."""
        return {delivery for (delivery,) in self.sql(IN_FLIGHT)}

    # --- Waiting and judging -----------------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"{what} after {timeout} s"
            time.sleep(POLL_S)

    def settle(self, timeout: float = 60) -> None:
        """Wait until nothing is under way any more."""
        self.wait_for(self._is_settled, timeout, "still under way")

    def _is_settled(self) -> bool:
        try:
            return bool(self.sql(UNDER_WAY)[0][0] == 0)
        except psycopg.OperationalError:
            return False

    def audit(self) -> None:
        """Assert that the product's own audit finds no gap, with nothing under way."""
        done = self.stack.manage("audit_deliveries", "--settled", check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def arrivals(self, *alerts: Mapping[str, Any]) -> list[Request]:
        """Return what the third party was sent about these alerts."""
        wanted = {each["alert_uuid"] for each in alerts}
        return [each for each in list(self.third_party.requests) if each.json.get("alert_uuid") in wanted]

    def assert_told_once(
        self, expected: Mapping[str, Iterable[str]], *, may_repeat: Iterable[str] = ()
    ) -> None:
        """Assert that everyone was told of every alert (people by alert), nobody else, all under one id.

        Args:
            may_repeat: the deliveries that were in flight at a crash; only these may have come twice.
        """
        ids: dict[tuple[str, str], set[str]] = defaultdict(set)
        arrivals: Counter[str] = Counter()
        for each in list(self.third_party.requests):
            for delivery, body in each.told:
                if body["alert_uuid"] in expected:
                    ids[body["alert_uuid"], body["target_user_uuid"]].add(delivery)
                    arrivals[delivery] += 1
        due = {(alert, user) for alert, users in expected.items() for user in users}
        forgotten, extra = due - ids.keys(), ids.keys() - due
        assert not forgotten, f"{len(forgotten)} of {len(due)} were not told, such as {min(forgotten)}"
        assert not extra, f"{len(extra)} were told who should not have been, such as {min(extra)}"
        assert all(len(each) == 1 for each in ids.values()), "somebody was told under two ids"
        assert len(arrivals) == len(due), "two people were told under one id"
        rows = self.rows(*({"alert_uuid": alert} for alert in expected))
        assert {row.id for row in rows} == set(arrivals), "not everything told is a delivery, or the reverse"
        assert {row.status for row in rows} == {"sent"}
        repeated = {delivery for delivery, count in arrivals.items() if count > 1}
        unexplained = repeated - set(may_repeat)
        assert not unexplained, f"{len(unexplained)} of {len(repeated)} repeats were not in flight at a crash"


# A send, the writing down of its outcome and the commit's way to the disk take less than this.
IN_FLIGHT_S = 1.0


def told_since(product: Product, killed_at: float) -> set[str]:
    """What reached the third party shortly before PostgreSQL's end, or since: its outcome may be lost.

    Args:
        killed_at: when PostgreSQL was killed, by ``time.monotonic()``.
    """
    horizon = killed_at - IN_FLIGHT_S
    return {each.delivery_id for each in product.third_party.requests if each.received_at > horizon}
