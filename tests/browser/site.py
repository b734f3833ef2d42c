"""The product as real processes, and people who use it in a browser."""

import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import requests
from playwright.sync_api import Page

from config import embedded
from config.processes import Stack, free_port
from tests import keys, templates
from tests.flows.product import Product
from tests.servers.smtp import MailServer

PASSWORD = "correct horse battery"
# What somebody has begun, and holds locks by until it ends.
BEGUN = """
SELECT count(*) FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
"""
INBOX = """
SELECT coalesce(max(last_number), 0) FROM notifications_inbox
  JOIN accounts_user ON uuid = user_id WHERE email = %(email)s
"""
CONFIRMED = """
WITH person AS (
    UPDATE accounts_user SET email_verified_at = now() WHERE email = %(email)s RETURNING uuid, email
)
INSERT INTO notifications_contactpoint
       (id, user_id, channel, address, lane, label, is_enabled, secret_version, created_at, confirmed_at)
SELECT uuidv7(), uuid, 'email', email, %(lane)s, 'Mail', true, 1, now(), now() FROM person
"""
OPERATOR = "UPDATE accounts_user SET is_staff = true, is_superuser = true WHERE email = %(email)s"
# All of them from one address, and each several times.
RATES = ("LOGIN_RATE", "LOGIN_ACCOUNT_RATE", "REGISTER_RATE", "REGISTER_ACCOUNT_RATE")


# One of each thing there is, of one person's: tests.furnished.
FURNISH = """
import json, uuid
from accounts.models import User
from tests.factories import ShopFactory
from tests.furnished import furnish
shop = ShopFactory(name=uuid.uuid4().hex, slug=uuid.uuid4().hex)
furnished = furnish(User.objects.get(email={email!r}), shop)
print(json.dumps(furnished.ids | furnished.tokens, default=str))
"""


@dataclass(slots=True)
class Site:
    """One web process, one worker and the scheduler, in a home of their own."""

    home: Path
    stack: Stack
    mail: MailServer
    http: requests.Session = field(default_factory=Product.new_session)
    key: str = ""
    _numbered_to: int = 0

    @classmethod
    def at(cls, home: Path, *, mail: MailServer) -> Self:
        port = free_port()
        env = {
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(mail.port),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "ROOM_STUN_URLS": "",
            **dict.fromkeys(RATES, ""),
        }
        templates.furnish(home)
        return cls(home, Stack(home, port=port, workers=1, migrate=False, env=env), mail)

    def __enter__(self) -> Self:
        try:
            self.stack.__enter__()
            self.key = self.new_key("events:write")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.stack.stop()
        embedded.destroy(at=self.home)

    def url(self, path: str) -> str:
        return self.stack.base_url + path

    def sql(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(embedded.database_url(at=self.home), connect_timeout=10) as connection:
            cursor = connection.execute(statement, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def new_key(self, *scopes: str) -> str:
        return keys.insert(self.sql, "browser tests", *scopes)

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        """Meanwhile nobody is told anything; what is to be told is told afterwards."""
        process = self.stack.processes["worker-1"]
        deadline = time.monotonic() + 60
        os.kill(process.pid, signal.SIGSTOP)
        # Stopped in the middle of a transaction, it would keep its locks, and who needs one wait for ever.
        while self.sql(BEGUN) != [(0,)]:
            os.kill(process.pid, signal.SIGCONT)
            assert time.monotonic() < deadline, "the worker is always in a transaction"
            time.sleep(0.05)
            os.kill(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process.pid, signal.SIGCONT)

    @contextmanager
    def without_web(self) -> Iterator[None]:
        """Meanwhile nobody gets an answer, and every connection is cut."""
        self.stack.kill("web")
        try:
            yield
        finally:
            self.stack.start("web")

    # --- People ----------------------------------------------------------------------------------------

    def register(self, page: Page, *, first_name: str = "Ana") -> str:
        """Register in the browser; returns the email address."""
        email = f"{uuid.uuid4().hex[:12]}@example.com"
        page.goto(self.url("/register/"))
        # By the fields' names, since browsers may ask for other languages.
        page.locator("[name=first_name]").fill(first_name)
        page.locator("[name=last_name]").fill("Lima")
        page.locator("[name=email]").fill(email)
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("main form button[type=submit]").click()
        page.wait_for_url("**/inbox/")
        return email

    def log_in(self, page: Page, email: str) -> None:
        page.goto(self.url("/login/"))
        page.get_by_label("Email address").fill(email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/inbox/")

    def forget(self, page: Page) -> None:
        """Have the browser forget who was logged in."""
        # An answer that is still on its way would set its cookies again.
        page.goto("about:blank")
        page.context.clear_cookies()

    def furnish(self, email: str) -> dict[str, str]:
        """Give somebody one of each thing there is; returns the ids, and the tokens of links."""
        # Which would take up some of it before the rest is there.
        with self.without_worker():
            found: dict[str, str] = json.loads(self.python(FURNISH.format(email=email)))
        return found

    def python(self, code: str) -> str:
        """Run code of the tests' beside the product; returns the last line that it prints."""
        self._numbered_to += 1000
        begin = f"from tests.factories import number_from\nnumber_from({self._numbered_to})\n"
        return self.stack.manage("shell", "-v", "0", "-c", begin + code).stdout.splitlines()[-1]

    def make_operator(self, email: str) -> None:
        """From now on they may do everything."""
        self.sql(
            "UPDATE accounts_user SET is_staff = true, is_superuser = true WHERE email = %(email)s",
            email=email,
        )

    def make_confirmed(self, email: str) -> None:
        """Have them shown that their address is theirs, and told things by mail too."""
        self.sql(CONFIRMED, email=email, lane=f"smtp://127.0.0.1:{self.mail.port}")

    def mail_to(self, address: str, says: str) -> str:
        """Wait for the mail to an address that says this; returns its text."""

        def texts() -> list[str]:
            mails = [each for each in list(self.mail.mails) if address in each.recipients]
            plain = [each.message.get_body(("plain",)) for each in mails]
            return [text for part in plain if part and says in (text := part.get_content())]

        self.mail.wait_until(lambda: bool(texts()), 60, lambda: f"no mail to {address} says {says}")
        return texts()[0]

    def publish(self, email: str, title: str) -> None:
        """Publish an event, as another service would: the worker will tell this person of it."""
        body = {"routing_key": "stage.accepted", "payload": {"user_id": self.user_id(email), "title": title}}
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = self.http.post(self.url("/api/v1/events/"), json=body, headers=headers, timeout=30)
        assert answer.status_code == 201, answer.text

    def user_id(self, email: str) -> str:
        ((user_id,),) = self.sql("SELECT uuid::text FROM accounts_user WHERE email = %(email)s", email=email)
        return str(user_id)

    def wait_until_told(self, email: str, count: int) -> None:
        """Wait until so many items are in somebody's inbox."""
        deadline = time.monotonic() + 60
        while self.sql(INBOX, email=email) != [(count,)]:
            assert time.monotonic() < deadline, f"{self.sql(INBOX, email=email)} and not {count} items"
            time.sleep(0.05)
