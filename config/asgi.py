"""The ASGI application: what ``uvicorn config.asgi:application`` serves."""

import gc
import os

import django
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from config import embedded
from config.garbage import spare_the_loaded
from config.lifespan import Lifespan
from config.limits import allow_many_connections, give_back_large_blocks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.ensure_running(postgres=not os.environ.get("DATABASE_URL"), redis=not os.environ.get("REDIS_URL"))
# What is loaded now stays until the end, and is no garbage.
gc.disable()
django.setup(set_prefix=False)
# Management commands run the checks by themselves; a server would start with settings that can't work.
if faults := run_checks(tags=["tocsin"]):
    raise ImproperlyConfigured("; ".join(fault.msg for fault in faults))

from config.handler import Handler  # noqa: E402  (these need the apps)
from dating.rooms import hubs as rooms  # noqa: E402
from notifications.api import intake  # noqa: E402
from notifications.inbox import hubs  # noqa: E402
from notifications.web.console import hubs as consoles  # noqa: E402

spare_the_loaded()
gc.enable()
allow_many_connections()
give_back_large_blocks()
alerts = intake.Intake()
handler = Handler(short_ways=dict.fromkeys(intake.PATHS, alerts))


def start() -> None:
    alerts.start()
    handler.connect()


def end_streams() -> None:
    hubs.end_all()
    rooms.end_all()
    consoles.end_all()


async def stop() -> None:
    await hubs.stop()
    await rooms.stop()
    await consoles.stop()
    alerts.stop()


application = Lifespan(handler, on_starting=start, on_stopping=end_streams, on_stopped=stop)
