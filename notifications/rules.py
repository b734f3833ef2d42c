"""Which of a person's rules (Subscription) decides about a kind of notification by a channel. Pure.

Rules that name the channel come before those for any channel; among them the exact kind (``stage.accepted``)
before its groups (``stage.*``), the longest first, before any kind. Where none applies, the answer is yes.
What is critical is silenced only by a rule for exactly its kind.
"""

import re
from collections.abc import Iterable
from typing import Final, Protocol

#: Nobody can switch these off: they are about the account itself, or were asked for a moment ago.
ALWAYS: Final = ("account.", "test")
# Not the models' own names for them, since the models ask this module.
_CRITICAL: Final = "critical"
_STANDARD: Final = "standard"
# Kinds of which some are critical.
_GRAVE: Final = {"alert"}
#: A kind or a group of kinds: words with dots between.
KIND: Final = re.compile(r"[^\s.*]+(\.[^\s.*]+)*(\.\*)?")


class Rule(Protocol):
    channel: str
    kind: str
    is_enabled: bool


def can_be_switched_off(kind: str) -> bool:
    """Whether rules hold for this kind (or group of kinds) at all."""
    return bool(KIND.fullmatch(kind)) and not f"{kind}.".startswith(
        tuple(f"{always.removesuffix('.')}." for always in ALWAYS)
    )


def register_critical(*kinds: str) -> None:
    """State that some of what people are told of these kinds is critical."""
    _GRAVE.update(kinds)


def gravest(kind: str) -> str:
    """Return the severity of the gravest of this kind: whether nothing of it is told is asked with that."""
    return _CRITICAL if kind in _GRAVE else _STANDARD


def applicable(kind: str, severity: str) -> list[str]:
    """Return what the ``kind`` of a rule may be for it to hold, the narrowest first."""
    if not can_be_switched_off(kind):
        return []
    if severity == _CRITICAL:
        return [kind]
    words = kind.split(".")
    groups = [".".join(words[:length]) + ".*" for length in range(len(words) - 1, 0, -1)]
    return [kind, *groups, ""]


def silences(rules: Iterable[Rule], *, channel: str, kind: str, severity: str) -> bool:
    """Whether the rule that decides says no; where none applies, the answer is yes."""
    kinds = applicable(kind, severity)
    held = [rule for rule in rules if rule.channel in (channel, "") and rule.kind in kinds]
    rule = min(held, key=lambda rule: (rule.channel == "", kinds.index(rule.kind)), default=None)
    return rule is not None and not rule.is_enabled
