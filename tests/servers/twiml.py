"""TwiML as Twilio reads it (twilio.com/docs/voice/twiml): what is said, and where a key press goes."""

from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

# The verbs that the product uses, with the attributes that they may have.
_VERBS: Final = {
    "Response": set(),
    "Say": {"language", "voice", "loop"},
    "Pause": {"length"},
    "Gather": {"input", "numDigits", "timeout", "action", "method", "finishOnKey", "actionOnEmptyResult"},
    "Hangup": set(),
}
_WITHIN: Final = {"Gather": {"Say", "Pause"}, "Response": {"Say", "Pause", "Gather", "Hangup"}}
MAX_SAID: Final = 4096


@dataclass(frozen=True, slots=True)
class Instructions:
    """``said`` in order; ``action`` is where a key press is posted to, "" where none is waited for."""

    said: tuple[str, ...]
    languages: frozenset[str]
    action: str
    hangs_up: bool

    @property
    def text(self) -> str:
        return " ".join(self.said)


def parse(document: str) -> Instructions:
    """Read instructions.

    Raises:
        ValueError: it isn't what Twilio would take.
    """
    root = ElementTree.fromstring(document)
    if root.tag != "Response":
        raise ValueError(f"TwiML begins with Response, not {root.tag}")
    _check(root)
    says = list(root.iter("Say"))
    gather = root.find("Gather")
    if gather is not None and gather.get("method", "POST") != "POST":
        raise ValueError("Only POST is understood here")
    return Instructions(
        tuple(say.text or "" for say in says),
        frozenset(say.get("language", "") for say in says),
        "" if gather is None else gather.get("action", ""),
        root.find("Hangup") is not None,
    )


def _check(element: ElementTree.Element) -> None:
    if element.tag not in _VERBS or not set(element.attrib) <= _VERBS[element.tag]:
        raise ValueError(f"<{element.tag}> with {sorted(element.attrib)} is not understood")
    if element.tag == "Say" and not 0 < len(element.text or "") <= MAX_SAID:
        raise ValueError("<Say> needs a text of at most 4096 characters")
    if not {child.tag for child in element} <= _WITHIN.get(element.tag, set()):
        raise ValueError(f"<{element.tag}> holds what it can't")
    for child in element:
        _check(child)
