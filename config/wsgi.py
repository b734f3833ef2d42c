"""The WSGI application, for servers that know no ASGI."""

import os

from django.core.wsgi import get_wsgi_application

from config import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.ensure_running(postgres=not os.environ.get("DATABASE_URL"), redis=not os.environ.get("REDIS_URL"))
application = get_wsgi_application()
