#!/usr/bin/env python
"""Django's command line; starts the embedded PostgreSQL and Redis first where no URL names real ones."""

import gc
import os
import sys

import django
from django.core.management import execute_from_command_line

from config import embedded

# Commands that touch neither PostgreSQL nor Redis, and so must not start them.
WITHOUT_SERVERS = {
    "help",
    "version",
    "--help",
    "--version",
    "makemessages",
    "compilemessages",
    "spectacular",
    "demo",
    "runstack",
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if len(sys.argv) > 1 and sys.argv[1] not in WITHOUT_SERVERS and "--help" not in sys.argv:
        embedded.ensure_running(
            postgres=not os.environ.get("DATABASE_URL"), redis=not os.environ.get("REDIS_URL")
        )
    # What is loaded now stays until the end: to look through it for garbage takes a fifth of a start.
    gc.disable()
    django.setup(set_prefix=False)
    gc.freeze()
    gc.enable()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
