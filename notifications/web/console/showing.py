"""What the panels of the console say now, as they are shown."""

import hashlib
from collections.abc import Sequence, Set
from typing import NamedTuple
from zoneinfo import ZoneInfo

import orjson
from django.template.loader import render_to_string
from django.utils import timezone, translation

from config import clock
from notifications.web.console.panels import panels


class View(NamedTuple):
    """All that makes one person's console another than somebody else's."""

    language: str
    time_zone: ZoneInfo


class Shown(NamedTuple):
    """A panel as it is shown; ``digest`` is another once it says something else."""

    name: str
    title: str
    html: str
    digest: str


def shown_to(view: View) -> list[Shown]:
    """Return every panel, also those that have nothing to say: these are hidden."""
    now = clock.now()
    found = []
    with timezone.override(view.time_zone), translation.override(view.language):
        for panel in panels():
            said = panel.read(now)
            html = render_to_string(panel.template, said) if said is not None else ""
            digest = hashlib.sha256(f"{panel.name}:{html}".encode()).hexdigest()[:16]
            found.append(Shown(panel.name, str(panel.title), html, digest))
    return found


def event_of(shown: Shown) -> bytes:
    """Return a panel as an event of a stream."""
    html = render_to_string("web/console/_panels.html", {"panels": [shown]})
    data = orjson.dumps({"id": f"panel-{shown.name}", "html": html.strip()})
    return b"event: panel\ndata: %b\n\n" % data


def news(shown: Sequence[Shown], have: Set[str]) -> bytes:
    """Return the events that bring whoever has panels of these digests up to date."""
    return b"".join(event_of(each) for each in shown if each.digest not in have)
