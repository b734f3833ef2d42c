"""Every text that there is or could be, as the admin lists them."""

from dataclasses import dataclass, field
from typing import Literal

from django.conf import settings

from notifications.messages import catalogue, faults
from notifications.messages.compiled import Compiled, Text
from notifications.messages.validation import fault_of
from notifications.models import MessageTemplate

State = Literal["file", "overridden", "switched off", "missing"]


@dataclass(frozen=True, slots=True)
class TextState:
    """One text: where it comes from, who changed it, and what is wrong with it."""

    kind: str
    language: str
    channel: str
    state: State
    fault: str = ""
    override: MessageTemplate | None = None


@dataclass(slots=True)
class KindStates:
    """A kind, and its texts: a row for each channel, with a cell for each language."""

    name: str
    about: str
    rows: list[tuple[str, list[TextState]]] = field(default_factory=list)


def kind_states() -> list[KindStates]:
    """Return every kind that has files or overrides, by name."""
    overrides = {
        (row.kind, row.language, row.channel): row
        for row in MessageTemplate.objects.select_related("updated_by")
    }
    reported = faults.last_faults()
    files = catalogue.kinds()
    found = []
    for name in sorted({*files, *(kind for kind, _, _ in overrides)}):
        kind = files.get(name) or catalogue.Kind(name, about="Added here: it has no files.")
        states = KindStates(name, kind.about)
        own = {channel for _, channel in kind.texts}
        own |= {channel for kind_, _, channel in overrides if kind_ == kind.name}
        for channel in ("", *sorted(own - {""})):  # behind "", which is for all others
            cells = [_state(kind, code, channel, overrides, reported) for code, _ in settings.LANGUAGES]
            states.rows.append((channel, cells))
        found.append(states)
    return found


def _state(
    kind: catalogue.Kind,
    language: str,
    channel: str,
    overrides: dict[tuple[str, str, str], MessageTemplate],
    reported: dict[str, faults.Fault],
) -> TextState:
    override = overrides.get((kind.name, language, channel))
    text = kind.texts.get((language, channel))
    state: State = "file" if text else "missing"
    if override is not None:
        state = "overridden" if override.is_active else "switched off"
    if override is not None and override.is_active:
        text = Compiled(kind.name, language, channel, "override", Text(override.title, override.body))
    fault = ""
    if text is not None:  # wrong now, with the example, or lately, with what it was given
        last = faults.last_fault_of(text, reported)
        fault = fault_of(text) or (f"{last.error} ({last.at:%Y-%m-%d %H:%M} UTC)" if last else "")
    return TextState(kind.name, language, channel, state, fault, override)
