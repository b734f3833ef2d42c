"""A message as one plain text of bounded length."""

from notifications.channels.message import Message
from notifications.cutting import before_link


def text_of(message: Message, limit: int) -> str:
    """Return title, body, and the data's url where they lack it, cut to so many UTF-16 code units."""
    url = str(message.data.get("url") or "")
    body = "" if message.body == message.title else message.body
    told = "\n".join(part.strip() for part in (message.title, body) if part.strip())
    if not url or url in told:
        return cut(told, limit)
    room = limit - _length(url) - 1
    return f"{cut(told, room)}\n{url}" if room > 0 else cut(told, limit)


def cut(text: str, limit: int) -> str:
    """Cut between characters, but no link in two, and say so by an ellipsis."""
    if _length(text) <= limit:
        return text
    kept = text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", "ignore")
    return f"{before_link(text, len(kept))}…"


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
