"""The commands of docs/accounts.md work as they are written there."""

import re
import shutil
import subprocess
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.models import User
from accounts.services.passwords import password_reset_request
from accounts.verification import token_of

TEXT = (settings.BASE_DIR / "docs" / "accounts.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    command.replace("\n  ", "\n")
    for block in BLOCKS
    for command in re.findall(r"^curl .*?(?=^curl |\Z)", block, re.MULTILINE | re.DOTALL)
]
# Where it isn't 200: by the end of the path, and the method where that matters.
CODES = {
    "register": "201",
    "invitations/": "201",
    "logout/": "204",
    "password/reset/": "202",
    "reset/confirm/": "204",
    "email/verify/": "202",
    # The code of the example is not the one that was sent.
    "email/confirm/": "400",
}


def test_the_commands_are_found() -> None:
    assert len(COMMANDS) == 16


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda text: re.findall(r"/v1/([^\"?]*)", text)[0])
def test_a_command_works_as_written(live_server: Any, sent: list[Any], settings: Any, command: str) -> None:
    settings.RESET_ANSWER_S = 0
    user = User.objects.create_user(
        "test.user@example.com", "SecurePass123!", is_staff=True, is_superuser=True
    )
    password_reset_request(email=user.email, now=timezone.now())
    values = {
        "BASE": live_server.url,
        "ACCESS": str(AccessToken.for_user(user)),
        "REFRESH": str(RefreshToken.for_user(user)),
        "TOKEN": token_of(sent[0].pk),
        "ID": str(user.pk),
        "PATH": "/usr/bin:/bin",
    }
    path = re.findall(r"\$BASE([^\"?]*)", command)[0]
    if path.endswith("register"):
        User.objects.all().delete()
    quiet = command.rstrip().replace("curl ", "curl -s -S -o /dev/null -w '%{http_code}' ", 1)
    done = subprocess.run(["bash", "-c", quiet], env=values, capture_output=True, text=True, timeout=60)
    expected = next((code for end, code in CODES.items() if path.endswith(end)), "200")
    assert done.stdout == ("204" if "-X DELETE" in command else expected), done.stderr
