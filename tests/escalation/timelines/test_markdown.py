"""Timelines as Markdown: ready to paste, and nothing that anybody wrote is more than text in it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rest_framework.test import APIClient

from accounts.models import User
from escalation.services.processes import process_start, process_stop
from escalation.timelines.entries import note_add
from escalation.timelines.lines import Fact, Line, Timeline
from escalation.timelines.markdown import escaped, markdown_of
from notifications.engine.recipients import Recipient
from tests.hostile import ALL

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
# As GitHub and GitLab read it: with tables and strikethrough; HTML is let through, to be seen here.
READ = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = [
    "a | b |\n|---|---|\n| c",
    "| ends the cell \\| and \\\\| too",
    "# Not a heading\n\n## Nor this",
    "[a link](https://evil.example) and ![an image](https://evil.example/x.png)",
    "<img src=x onerror=alert(1)> <!-- and a comment",
    "**bold** _it_ ~~gone~~ `code` ``` fence",
    "https://evil.example www.evil.example <https://evil.example>",
    "\\[not escaped twice\\](x)",
    "[ref]: https://evil.example\n[ref]",
    "&lt;b&gt; &amp; &#x3C;script&#x3E;",
    "@everyone #1 :tada: $x$",
    "- a list\n1. of\n> quotes\n---\n    code",
    "turned \u202e round \u2028 and a \x07 bell",
    "ends with a backslash \\",
]
#: What a table of plain text is made of.
PLAIN = {"table", "thead", "tbody", "tr", "th", "td", "h1"}


def timeline_with(text: str) -> Timeline:
    line = Line(NOON, 0.0, "note", text, details=text)
    return Timeline(text, [Fact("Escalation", text)], [line, Line(NOON, 1.0, "ended", "Ended.")])


def read(markdown: str) -> tuple[set[str], list[str]]:
    """The kinds of what stands in it, and the text of each cell."""

    def every(tokens: list[Token]) -> Any:
        for token in tokens:
            yield token
            yield from every(token.children or [])

    tokens = READ.parse(markdown)
    found = {token.tag or token.type for token in every(tokens)} - {"", "inline", "text", "br"}
    cells = []
    for token in tokens:
        if token.type == "inline":
            children = token.children or []
            cells.append("".join("\n" if each.content == "<br>" else each.content for each in children))
    return found, cells


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_is_typed_means_anything(text: str) -> None:
    markdown = markdown_of(timeline_with(text), PARIS)
    found, cells = read(markdown)
    assert found - {"text_special", "html_inline"} <= PLAIN
    # The only HTML are the ends of lines within a note.
    html = [
        each.content
        for token in READ.parse(markdown)
        for each in token.children or []
        if each.type == "html_inline"
    ]
    assert set(html) <= {"<br>"}
    # A table of facts with two columns, one of lines with four; the heading before.
    assert len(cells) == 1 + 2 + 2 + 4 * 3
    assert "https:" not in markdown
    assert "www.evil" not in markdown


@pytest.mark.parametrize("text", HOSTILE)
def test_it_reads_as_it_was_typed(text: str) -> None:
    *_, last = [line for line in text.splitlines() if line.strip()] or [""]
    shown = "".join(each.content for token in READ.parse(escaped(last)) for each in token.children or [])
    unwanted = str.maketrans(dict.fromkeys("\u202e\u2028\x07", " "))
    assert " ".join(shown.split()) == " ".join(last.translate(unwanted).split())


@pytest.mark.slow
def test_a_thousand_hostile_strings_stay_text() -> None:
    for each in ALL:
        markdown = markdown_of(timeline_with(each.text[:2_000]), PARIS)
        found, cells = read(markdown)
        assert found - {"text_special", "html_inline"} <= PLAIN, each.id
        assert len(cells) == 1 + 2 + 2 + 4 * 3, each.id


def test_times_are_in_utc_and_by_the_clock_of_the_reader() -> None:
    made = Timeline("Disk", [Fact("Started", NOON)], [Line(NOON, 0.0, "started", "Escalation started.")], 3)
    assert markdown_of(made, PARIS).splitlines() == [
        "# Timeline: Disk",
        "",
        "| | |",
        "|---|---|",
        "| Started | 2026-03-02 12:00:00 UTC, 2026-03-02 13:00:00 Europe/Paris |",
        "",
        "| UTC | Europe/Paris | After | What happened |",
        "|---|---|---|---|",
        "| 2026-03-02 12:00:00 | 2026-03-02 13:00:00 | +0:00 | Escalation started. |",
        "",
        "At least 3 later lines are left out.",
    ]
    assert "| UTC | After | What happened |" in markdown_of(made, ZoneInfo("UTC"))


# --- Over HTTP ------------------------------------------------------------------------------------------


@pytest.fixture
def noted(owner: User) -> Any:
    """An escalation of the owner's with a note."""
    later = Recipient("sms", NOON + timedelta(hours=1), "+33611111111", user=owner)
    process = process_start(process_id="a/b|c", notifications=[later], now=NOON).process
    note_add(about=process, text="So | what\nnow?", by="Ana", via="web", user=owner, now=NOON)
    process_stop(process_id="a/b|c", by="Ana", via="api", now=NOON + timedelta(seconds=5))
    return process


@pytest.mark.slow
@pytest.mark.parametrize("form", ["timeline.md", "timeline.md/", "timeline/"])
def test_the_api_gives_it_by_its_name_and_by_what_is_accepted(
    as_user: Any, noted: Any, owner: User, form: str
) -> None:
    owner.time_zone = "Asia/Tokyo"
    owner.save()
    client: APIClient = as_user(owner)
    answer = client.get(f"/api/v1/escalations/{noted.pk}/{form}", HTTP_ACCEPT="text/markdown")
    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    rows = answer.content.decode().splitlines()
    assert (
        "| 2026-03-02 12:00:00 | 2026-03-02 21:00:00 | +0:00 | Note by Ana\\:<br>So &#124; what<br>now? |"
        in rows
    )
    assert rows[-1].endswith("| +0:05 | Stopped by Ana through the API, 5 s after the start. |")
    plain = client.get(f"/api/v1/escalations/{noted.pk}/timeline/")
    assert plain["Content-Type"] == "application/json"
    assert "Accept" in plain["Vary"]


def test_the_page_gives_the_same_file(as_user: Any, noted: Any, owner: User) -> None:
    client: APIClient = as_user(owner)
    page = client.get(f"/escalations/{noted.pk}/timeline.md")
    assert page["Content-Disposition"] == f'attachment; filename="timeline-{noted.pk}.md"'
    assert page.content == client.get(f"/api/v1/escalations/{noted.pk}/timeline.md").content
    assert page["Content-Type"] == "text/markdown; charset=utf-8"
