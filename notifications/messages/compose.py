"""From a kind and its data to what is told: every text rendered once, and frozen in the notification."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils import translation

from accounts.names import cleaned
from notifications.messages import catalogue, faults, overrides, placeholders
from notifications.messages.compiled import Compiled, Faulty, Text, clean_body, clean_title
from notifications.messages.sandbox import plain
from notifications.models import Notification, Severity

#: Variables that hold what people call themselves.
NAMES: Final = ("first_name", "last_name")
# The texts of one language by channel, "" for all others.
Channels = dict[str, Text]
# The texts of one kind by language and channel.
Sources = Mapping[tuple[str, str], Compiled]


class Composed(NamedTuple):
    """The default language's general text, and whatever differs from it (Notification.texts)."""

    title: str
    body: str
    texts: dict[str, dict[str, list[str]]]


def notification_of(
    *,
    kind: str,
    data: dict[str, Any],
    severity: str = Severity.STANDARD,
    source_type: str,
    source_id: str,
    dedup_key: str,
    context: dict[str, Any] | None = None,
    marks: Mapping[str, str] | None = None,
    shop_id: UUID | None = None,
) -> Notification:
    """Return what is told (not stored yet), rendered in every language and for every channel that has a text.

    Args:
        kind: names the templates, such as ``stage.accepted``.
        data: what machines are told, as JSON.
        context: the templates' variables, if they are not ``data``.
        marks: variables that stand for links of the delivery's own (notifications.messages.links).
    """
    composed = compose(kind, data if context is None else context, marks)
    return Notification(
        kind=kind,
        title=composed.title,
        body=composed.body,
        texts=composed.texts,
        data=data,
        severity=severity,
        source_type=source_type,
        source_id=source_id,
        dedup_key=dedup_key,
        shop_id=shop_id,
    )


def compose(kind: str, context: Mapping[str, Any], marks: Mapping[str, str] | None = None) -> Composed:
    """Render all texts of a kind, from the admin and from the files."""
    variables = placeholders.without_marks(plain(context))
    # People's names as others may see them, those of before the rules too.
    variables |= {name: cleaned(variables[name]) for name in NAMES if isinstance(variables.get(name), str)}
    variables.update(catalogue.common_variables())
    variables.update(marks or {})
    if placeholders.is_private(kind):
        variables = placeholders.with_placeholders(variables)
    return composed(kind, variables, own=overrides.current().of(kind), files=catalogue.texts_of(kind))


def composed(kind: str, variables: dict[str, Any], *, own: Sources, files: Sources) -> Composed:
    """Render the given texts. Never fails: a faulty one is reported, and the next best takes its place."""
    languages = {
        language: channels
        for language, _ in settings.LANGUAGES
        if (channels := _rendered(language, own, files, variables))
    }
    # In the form in which they are stored, without what ``text_for`` finds anyway.
    default = languages.get(settings.LANGUAGE_CODE, {})
    generals = (channels[""] for channels in languages.values() if "" in channels)
    general = default.get("") or next(generals, None) or plain_summary(kind, variables)
    variants = {channel: text for channel, text in default.items() if channel}
    told = {settings.LANGUAGE_CODE: variants} if variants else {}
    usual = {**variants, "": general}
    for language, channels in languages.items():
        those = channels if "" in channels else usual | channels
        if language != settings.LANGUAGE_CODE and those != usual:
            told[language] = those
    texts = {name: {channel: list(text) for channel, text in own.items()} for name, own in told.items()}
    return Composed(general.title, general.body, texts)


def has_texts(kind: str) -> bool:
    """Whether there is anything to tell for a kind, in the files or from the admin."""
    return bool(catalogue.texts_of(kind) or overrides.current().of(kind))


def _rendered(language: str, own: Sources, files: Sources, variables: dict[str, Any]) -> Channels:
    """Render a language's texts: for each channel the override, or the file's if that fails."""
    found: Channels = {}
    with translation.override(language):  # for the names of months
        for key in files.keys() | own.keys() if own else files:
            is_its = key[0] == language
            if is_its and (text := _first_rendered((own.get(key), files.get(key)), variables)):
                found[key[1]] = text
    return found


def _first_rendered(candidates: Iterable[Compiled | None], variables: dict[str, Any]) -> Text | None:
    for candidate in filter(None, candidates):
        try:
            return candidate.render(variables)
        except Faulty as fault:
            faults.report(candidate, str(fault))
    return None


def plain_summary(kind: str, variables: Mapping[str, Any]) -> Text:
    """Return what is told where there is no text at all: the kind, and whatever data is short and plain."""
    known = {name: value for name, value in variables.items() if name not in catalogue.COMMON}
    lines = [f"{name}: {value}" for name, value in known.items() if isinstance(value, str | int | float)]
    return Text(
        clean_title(kind.replace(".", " ").replace("_", " ").capitalize()) or "—",
        clean_body("\n".join(lines)),
    )
