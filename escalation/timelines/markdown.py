"""A timeline as Markdown, ready to paste into a post-mortem: GitHub's and GitLab's kind, with tables.

What strangers and people have written stays text in it, whatever it is: no link, no image, no HTML, no cell.
"""

import re
from datetime import UTC, datetime, tzinfo
from typing import Final
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext

from escalation.timelines.lines import Line, Timeline

MEDIA_TYPE: Final = "text/markdown"
# What means something within a line: links, too, that need no brackets, and :names: of pictures. Times stay.
_SPECIAL: Final = re.compile(r"[\\`*_\[\]<>&|~#!@$]|(?<!\d):|:(?!\d)|(?<=www)\.", re.IGNORECASE)
# Some programs look for HTML and for the ends of cells before they look at backslashes.
_ENTITIES: Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;"}
# Control characters, those that turn the direction of what follows, and separators of lines.
_UNWANTED: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_LINE_ENDS: Final = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it in one line of a table or a heading."""
    line = _UNWANTED.sub(" ", text).strip()
    return _SPECIAL.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), line)


def markdown_of(timeline: Timeline, zone: tzinfo) -> str:
    """Return a timeline with its times in UTC, and in a zone of the reader's."""
    zones: list[tzinfo] = [UTC] if str(zone) == "UTC" else [UTC, zone]
    heads = [*(_zone_name(each) for each in zones), gettext("After"), gettext("What happened")]
    rows = [f"| {escaped(name)} | {_fact(value, zones)} |" for name, value in timeline.facts]
    parts = [
        f"# {gettext('Timeline')}: {escaped(timeline.title)}",
        "",
        "| | |",
        "|---|---|",
        *rows,
        "",
        f"| {' | '.join(heads)} |",
        "|" + "---|" * len(heads),
        *(_row(line, zones) for line in timeline.lines),
    ]
    if timeline.left_out:
        said = gettext("At least %(count)s later lines are left out.") % {"count": timeline.left_out}
        parts += ["", said]
    return "\n".join(parts) + "\n"


def markdown_response(timeline: Timeline, zone: tzinfo, *, about: UUID) -> HttpResponse:
    """Answer with a file of this Markdown."""
    response = HttpResponse(markdown_of(timeline, zone), content_type=f"{MEDIA_TYPE}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="timeline-{about}.md"'
    return response


def _row(line: Line, zones: list[tzinfo]) -> str:
    times = [_time(line.at, zone) for zone in zones]
    details = "".join(f"<br>{escaped(each)}" for each in _LINE_ENDS.split(line.details) if each.strip())
    return f"| {' | '.join([*times, line.after])} | {escaped(line.text)}{details} |"


def _fact(value: str | datetime, zones: list[tzinfo]) -> str:
    if isinstance(value, str):
        return escaped(value)
    return ", ".join(f"{_time(value, zone)} {_zone_name(zone)}" for zone in zones)


def _time(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _zone_name(zone: tzinfo) -> str:
    return escaped(str(zone))
