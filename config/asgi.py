"""The ASGI application: what ``uvicorn config.asgi:application`` serves."""

import os

from django.core.asgi import get_asgi_application

from config import embedded
from config.body_limit import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.ensure_running(postgres=not os.environ.get("DATABASE_URL"), redis=not os.environ.get("REDIS_URL"))
application = BodyLimit(get_asgi_application())
