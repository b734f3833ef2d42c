"""A database that takes no writes is answered as one that is away, and left for another."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import close_old_connections, connection

from accounts.models import Shop, User

ALERT = {"url": "https://media.example.com/clip.mp4", "label": "theft", "time_spotted": 1_700_000_000}


def show(setting: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {setting}")
        (value,) = cursor.fetchone()
    return value


def only_read() -> None:
    """Make this thread's session one with a server that takes no writes: a standby, a primary of old."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")


def set_for_all(setting: str) -> None:
    """Change what every session begins with, from a session that may write whatever it is."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute(f"ALTER DATABASE {connection.settings_dict['NAME']} {setting}")
    other.close()


@pytest.fixture
def camera(as_machine: Any) -> Any:
    return as_machine("alerts:write")


@pytest.fixture
def nothing_writable(transactional_db: None) -> Iterator[Callable[[], None]]:
    """No server takes writes until this is called."""
    set_for_all("SET default_transaction_read_only = on")
    connection.close()
    end = partial(set_for_all, "RESET default_transaction_read_only")
    yield end
    end()
    connection.close()


@pytest.fixture(autouse=True)
def _fresh_session(transactional_db: None) -> Iterator[None]:
    yield
    connection.close()


def test_an_alert_finds_another_server_where_its_own_takes_no_writes(camera: Any, shop: Shop) -> None:
    only_read()
    alert = {**ALERT, "location": shop.slug, "alert_uuid": str(uuid4())}
    assert camera.post("/webhooks/alerts/", alert).status_code == 201


def test_the_api_answers_503_and_works_again_by_itself(
    camera: Any, shop: Shop, nothing_writable: Callable[[], None]
) -> None:
    alert = {**ALERT, "location": shop.slug, "alert_uuid": str(uuid4())}
    refused = camera.post("/webhooks/alerts/", alert)
    assert refused.status_code == 503
    assert int(refused["Retry-After"]) > 0
    nothing_writable()
    close_old_connections()  # as at the end of every request
    assert camera.post("/webhooks/alerts/", alert).status_code == 201


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/inbox/read/", "/logout/", "/admin/logout/"])
def test_pages_answer_503_and_when_to_come_back(as_user: Any, operator: User, path: str) -> None:
    browser = as_user(operator)
    browser.raise_request_exception = False
    only_read()
    response = browser.post(path, {"up_to": 10}, format="multipart")
    assert response.status_code == 503
    assert response["Retry-After"]
    assert "Back in a moment" in response.content.decode()


def test_a_connection_that_can_write_is_of_use() -> None:
    show("application_name")
    assert connection.is_usable()


def test_a_connection_that_can_only_read_is_replaced_without_an_error_too() -> None:
    only_read()
    connection.health_check_enabled, connection.health_check_done = True, False
    assert show("transaction_read_only") == "off"


def test_a_session_that_was_left_not_waiting_for_the_disk_waits_again() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    assert connection.is_usable()
    assert show("synchronous_commit") == "on"
