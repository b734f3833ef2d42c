"""What of a notice is its person's alone: links by which one acts as they, without logging in."""

import re
from typing import Any, Final

from notifications.channels.registry import WITHHELD

#: The routes whose last part is a token, and what carries one in its query.
_TOKEN: Final = re.compile(
    r"(/(?:dating/(?:join|invitations|calendars)|calendars|acknowledge|unsubscribe)/|[?&]token=)[^\s\"'<>&/]+"
)
_CALENDAR: Final = "BEGIN:VCALENDAR"


def shown(value: Any) -> Any:
    """Return text, or JSON, as others than its person may see it: no token, and no calendar of theirs."""
    match value:
        case str() if _CALENDAR in value:
            return WITHHELD
        case str():
            return _TOKEN.sub(rf"\1{WITHHELD}", value)
        case dict():
            return {name: shown(each) for name, each in value.items()}
        case list():
            return [shown(each) for each in value]
        case _:
            return value
