"""The WSGI application, for servers that know no ASGI."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config import embedded
from config.postgresql.base import DatabaseWrapper

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.ensure_running(postgres=not os.environ.get("DATABASE_URL"), redis=not os.environ.get("REDIS_URL"))
application = get_wsgi_application()
DatabaseWrapper.session = {"statement_timeout": f"{settings.WEB_STATEMENT_TIMEOUT_S}s"}
