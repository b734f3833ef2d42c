"""Settings of tracing that can't be meant are refused at start."""

import time
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from config.cron import turn_after


@register("tocsin")
def the_check_has_its_times(**kwargs: Any) -> list[CheckMessage]:
    """Else the scheduler would end as it comes to this entry, and with it all that runs by the clock."""
    line = settings.TRACING_CHECK_CRON
    try:
        why = "" if turn_after(line, int(time.time() // 60)) else "that time never comes"
    except ValueError as error:
        why = str(error)
    if not why:
        return []
    text = f"TRACING_CHECK_CRON must be a cron line such as */15 * * * *, not {line!r}: {why}"
    return [Error(text, id="tracing.E001")]
