"""The code that pages give to receivers of webhooks verifies ours, and nothing else."""

import base64
import json
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from config import clock
from notifications.channels.transport import signing
from notifications.web.snippets import VERIFY

BODY = '{"title": "Théft", "n": 1}'.encode()
NODE = """
import {{ isAuthentic }} from {module!r};
const [secret, headers, body] = {given};
process.exit(isAuthentic([secret], headers, Buffer.from(body, "base64")) ? 0 : 1);
"""


def by_python(secret: str, headers: dict[str, str], body: bytes, home: Path) -> bool:
    names: dict[str, Any] = {}
    exec(VERIFY["Python"], names)
    return bool(names["is_authentic"]([secret], headers, body))


def by_node(secret: str, headers: dict[str, str], body: bytes, home: Path) -> bool:
    module = home / "verify.mjs"
    module.write_text(VERIFY["Node"])
    given = json.dumps([secret, headers, base64.b64encode(body).decode()])
    script = NODE.format(module=str(module), given=given)
    return run(["node", "--input-type=module", "-e", script]) == 0


def by_shell(secret: str, headers: dict[str, str], body: bytes, home: Path) -> bool:
    script = home / "verify.sh"
    script.write_text(VERIFY["Shell"])
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return run(["sh", str(script), secret, *(headers[name] for name in names)], body) == 0


def run(command: list[str], body: bytes = b"") -> int:
    done = subprocess.run(command, input=body, capture_output=True, timeout=30, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode


RUNS = {"Python": (by_python, None), "Node": (by_node, "node"), "Shell": (by_shell, "openssl")}


@pytest.fixture(params=VERIFY)
def verify(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    runs, needs = RUNS[request.param]
    if needs and shutil.which(needs) is None:
        pytest.skip(f"no {needs} on this machine")
    return lambda secret, headers, body: runs(secret, headers, body, tmp_path)


def signed(now: datetime, **options: Any) -> tuple[str, dict[str, str]]:
    """Return the secret of a webhook, and the headers that we would send it."""
    pk, message_id = uuid4(), str(uuid4())
    given = {"version": 2, "rotated_at": None, **options}
    signature = signing.signatures(pk, message_id=message_id, body=BODY, now=now, **given)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    return signing.secret_for(pk, 2), headers


def test_what_we_sign_is_ours(verify: Any) -> None:
    secret, headers = signed(clock.now())
    assert verify(secret, headers, BODY)


def test_what_is_signed_with_two_secrets_is_ours(verify: Any) -> None:
    now = clock.now()
    secret, headers = signed(now, rotated_at=now)
    assert len(headers["webhook-signature"].split()) == 2
    assert verify(secret, headers, BODY)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "another"},
        {"webhook-timestamp": "$(exit 0)"},
        {"webhook-timestamp": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
    ],
    ids=str,
)
def test_what_was_changed_is_not(verify: Any, change: dict[str, str]) -> None:
    secret, headers = signed(clock.now())
    assert not verify(secret, headers | change, BODY)


def test_neither_another_body_secret_nor_time_is(verify: Any) -> None:
    secret, headers = signed(clock.now())
    assert not verify(secret, headers, BODY + b" ")
    assert not verify(signed(clock.now())[0], headers, BODY)
    old_secret, old = signed(clock.now() - timedelta(minutes=6))
    assert not verify(old_secret, old, BODY)


def test_the_page_shows_them_whole(browse: Any, owner: Any) -> None:
    page = browse(owner).get("/settings/webhooks/verify/")
    assert [code for _, code in page.context["snippets"]] == list(VERIFY.values())
    assert "timingSafeEqual" in page.content.decode()


def test_the_documentation_shows_the_same() -> None:
    assert f"```python\n{VERIFY['Python']}```" in Path("docs/operations.md").read_text()
