"""The ASGI application: what ``uvicorn config.asgi:application`` serves."""

import os

import django

from config import embedded
from config.body_limit import BodyLimit
from config.handler import Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.ensure_running(postgres=not os.environ.get("DATABASE_URL"), redis=not os.environ.get("REDIS_URL"))
django.setup(set_prefix=False)
application = BodyLimit(Handler())
