"""The product's settings, on an instance of its own so that tests never touch what `make run` keeps."""

import os
from pathlib import Path

os.environ.setdefault("TOCSIN_HOME", str(Path(__file__).resolve().parent.parent / "var" / "test"))
# NumPy's threads look for work even where there is none; stacks inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from config import embedded
from config.settings import *  # noqa: F403
from config.settings import CACHES, DATABASES, REDIS_URL, RQ_QUEUES

embedded.ensure_running(postgres=not os.environ.get("DATABASE_URL"), redis=not os.environ.get("REDIS_URL"))

# Each xdist worker has a Redis database of its own; pytest-django does the same for PostgreSQL.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
REDIS_URL = REDIS_URL.replace("db=0", f"db={_worker}")
for _queue in RQ_QUEUES.values():
    _queue["URL"] = REDIS_URL
CACHES["default"]["LOCATION"] = REDIS_URL

# Hashing slowly is for production; the tests of accounts that are about it set it back.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Local providers live on loopback, which users' webhooks may not reach unless told so.
WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]

# Threads that answer requests outlive a test; their connections must not outlive its database.
DATABASES["default"]["CONN_MAX_AGE"] = 0

# Every test has clients of its own, and each would look through all static files before its first request,
# which took as long as many a test. This way a file is looked for when it is asked for.
WHITENOISE_AUTOREFRESH = True
