"""Looking at a text before it is saved: whether it compiles, what it needs, what it makes of an example."""

from typing import Any, Final, NamedTuple

from django.utils import translation

from notifications.messages import catalogue, placeholders
from notifications.messages.compiled import MAX_BODY, Compiled, Faulty, Part, Text, compiled_part
from notifications.messages.sandbox import look_up, plain
from notifications.models import Event

MAX_TITLE_SOURCE: Final = 500


class Preview(NamedTuple):
    """What a text makes of the example, or why it can't be used: faults by field."""

    text: Text | None
    faults: dict[str, list[str]]


def sample_of(kind: str) -> dict[str, Any]:
    """Return an example of what a kind's texts are given: the files', else the newest event of that name."""
    newest = Event.objects.filter(routing_key=kind).order_by("-id").values_list("payload", flat=True)
    known = catalogue.kinds().get(kind)
    sample = known.sample if known else newest.first()
    variables = {**plain(sample or {}), **catalogue.common_variables()}
    return placeholders.with_placeholders(variables) if placeholders.is_private(kind) else variables


def preview(*, kind: str, language: str, channel: str, title: str, body: str) -> Preview:
    """Render a text with the example, and say all that is wrong with it."""
    faults: dict[str, list[str]] = {}
    if channel and placeholders.is_private(kind) and channel not in placeholders.channels_of(kind):
        allowed = " and ".join(placeholders.channels_of(kind))
        faults["channel"] = [f"Messages of this kind hold secrets: they are sent by {allowed} only."]
    sample = sample_of(kind)
    parts: tuple[tuple[Part, str, int], ...] = (("title", title, MAX_TITLE_SOURCE), ("body", body, MAX_BODY))
    for part, source, longest in parts:
        if problems := _problems(part, source, longest, kind, sample):
            faults[part] = problems
    if not faults and (missing := _missing_secret(kind, title, body)):
        faults["body"] = [missing]
    text = None
    if "title" not in faults and "body" not in faults:
        try:
            text = _rendered(Compiled(kind, language, channel, "override", Text(title, body)), sample)
        except Faulty as fault:
            faults[fault.part] = [f"With the example: {fault}."]
    return Preview(text, faults)


def fault_of(text: Compiled) -> str:
    """Say why a text can't be rendered with the example; empty if it can."""
    try:
        _rendered(text, sample_of(text.kind))
    except Faulty as fault:
        return str(fault)
    return ""


def _rendered(text: Compiled, sample: dict[str, Any]) -> Text:
    with translation.override(text.language):
        return text.render(sample)


def _problems(part: Part, source: str, longest: int, kind: str, sample: dict[str, Any]) -> list[str]:
    if len(source) > longest:
        return [f"Longer than {longest} characters: {len(source)}."]
    if part == "title" and not source.strip():
        return ["The title can't be empty."]
    try:
        compiled = compiled_part(part, source)
    except Faulty as fault:
        return [f"{str(fault)[0].upper()}{str(fault)[1:]}"]
    # Nobody knows what a kind that has no files is given.
    if kind not in catalogue.kinds():
        return []
    known = ", ".join(sorted(sample))
    unknown = [".".join(names) for names in sorted(compiled.unmade) if not _is_known(sample, names)]
    return [f"Unknown: {', '.join(unknown)}. Known here: {known}."] if unknown else []


def _is_known(sample: dict[str, Any], names: tuple[str, ...]) -> bool:
    try:
        look_up(sample, names)
    except (KeyError, ValueError, IndexError):
        return False
    return True


def _missing_secret(kind: str, title: str, body: str) -> str:
    """Say what the text must hold and does not: a mail with no link in it is worth nothing."""
    known = catalogue.kinds().get(kind)
    if not known or not known.needs_one_of:
        return ""
    unmade = compiled_part("title", title).unmade | compiled_part("body", body).unmade
    if {names[0] for names in unmade}.intersection(known.needs_one_of):
        return ""
    return f"It must hold {' or '.join(f'{{{{ {name} }}}}' for name in known.needs_one_of)}."
