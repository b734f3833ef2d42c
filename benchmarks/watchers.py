"""Makes members of staff who are logged in, for `make bench-console`.

A program of its own, since it needs Django set up for the stack's database. Reads one line of JSON,
``{"count": …}``, and answers with ``{"headers": [{"Cookie": …}, …]}``, one for each.
"""

import json
import sys

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402

from accounts.models import User  # noqa: E402
from accounts.session_keys import SessionStore  # noqa: E402

# Whoever reads another language, or is elsewhere, sees other words and times.
LANGUAGES = [code for code, _ in settings.LANGUAGES]
ZONES = ["Europe/Paris", "America/New_York"]


def cookie(number: int) -> dict[str, str]:
    person = User.objects.create(
        email=f"watcher-{number}@example.com",
        password="!",
        is_staff=True,
        language=LANGUAGES[number % len(LANGUAGES)],
        time_zone=ZONES[number % len(ZONES)],
    )
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.create()
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}"}


def main() -> None:
    count = json.loads(sys.stdin.readline())["count"]
    print(json.dumps({"headers": [cookie(number) for number in range(count)]}), flush=True)


if __name__ == "__main__":
    main()
