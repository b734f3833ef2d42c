"""No other site changes anything in the name of somebody who is logged in: every route refuses."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from tests.config.test_access import ALL

#: What goes by something else than the session, which it does not look at, and why.
BY_ITSELF = {
    "/auth/": "a password, a mailed token or a refresh token in the body",
    **dict.fromkeys(
        (
            "/integrations/alertmanager/",
            "/integrations/grafana/",
            "/integrations/cloudevents/",
            "/integrations/generic/",
        ),
        "an integration's key in the address",
    ),
    "/v2/alerts": "an integration's key in a header",
    "/v2/enqueue": "an integration's key in the body or the address",
    "/v2/change/enqueue": "refuses whatever it is sent",
    "/unsubscribe/": "a signed token in the address, posted by mail programs",
    "/tracing/interactions": "refuses what it can't read before it asks anything else",
}


API = [path for path in ALL if not path.startswith(("/admin/", "/django-rq/"))]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "sent"),
    [
        ("post", "application/json"),
        # What another site can send without a preflight.
        ("post", "text/plain"),
        ("post", "application/x-www-form-urlencoded"),
        ("post", "multipart/form-data; boundary=b"),
        ("post", ""),
        *((method, "application/json") for method in ("put", "patch", "delete")),
    ],
)
def test_a_session_alone_changes_nothing(operator: User, method: str, sent: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    let_by: dict[str, int] = {}
    # Pages look at the token whatever is sent; the API's parsers come first.
    for path in ALL if sent == "application/json" else API:
        answer: Any = getattr(client, method)(path, data="{}", content_type=sent)
        # 404 and 405: there is nothing to change at all; 415: not even read.
        if answer.status_code not in (403, 404, 405, 415):
            let_by[path] = answer.status_code
    assert [path for path in let_by if not any(part in path for part in BY_ITSELF)] == []
    assert all(code >= 400 for code in let_by.values())
