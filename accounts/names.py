"""What people call themselves is shown to others, in subjects too: it can't be a link, or say anything."""

import re
import unicodedata
from typing import Final

from django.core.exceptions import ValidationError

#: As much of a name as others are shown.
SHOWN_MAX: Final = 40
#: More digits than any name has, and fewer than any phone number.
DIGITS_MAX: Final = 4
#: What is longer is refused or cut for that. No more of it is looked at: to normalise it takes the square of
#: its length.
_LOOKED_AT: Final = 1_000

ODD: Final = "Enter text without control characters, characters that turn its direction, ⟦ or ⟧."
LINK: Final = "Enter a name: no link, domain or email address. After a dot, leave a space."
DIGITS: Final = f"Enter a name: it can have {DIGITS_MAX} digits at most."

#: What links and codes stand behind until a message is sent (notifications.messages).
_MARKS: Final = "⟦⟧"
# Joins letters in Persian and Indic names.
_JOINERS: Final = "\u200c\u200d"
# Control, format, surrogate and private characters, and separators of lines.
_ODD_KINDS: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Whatever IDNA takes for a dot; NFKC has made one of the full-width one already.
_DOTS: Final = str.maketrans({"。": ".", "｡": ".", "․": "."})
# A scheme, www, an email address, or two labels of a domain or of an IP address.
_LINK: Final = re.compile(
    r"://|\bwww\b|@|\b(?:https?|ftp|mailto|tel|sms|javascript)\s*:|[\w-]\.[^\W\d_][\w-]|\d\.\d", re.IGNORECASE
)


def validate_plain(value: str) -> None:
    """Raise ValidationError for what hides in a text, or can pass for a link of a message."""
    if any(map(_is_odd, value)):
        raise ValidationError(ODD)


def validate_name(value: str) -> None:
    """Raise ValidationError for what is no name."""
    value = value[:_LOOKED_AT]
    validate_plain(value)
    if _LINK.search(_folded(value)):
        raise ValidationError(LINK)
    if _has_too_many_digits(value):
        raise ValidationError(DIGITS)


def cleaned(value: str, longest: int = SHOWN_MAX) -> str:
    """Return what of a name can be shown to others: without what `validate_name` refuses, and cut."""
    text = "".join(" " if character.isspace() else character for character in value[:_LOOKED_AT])
    words = "".join(character for character in text if not _is_odd(character)).split()
    name = " ".join(word for word in words if not _LINK.search(_folded(word)))
    # A link may be put together of what each word alone is not.
    if _LINK.search(_folded(name)):
        return ""
    if _has_too_many_digits(name):
        name = " ".join("".join(character for character in name if not character.isdigit()).split())
    return name if len(name) <= longest else name[: longest - 1].rstrip() + "…"


def shown(first_name: str) -> str:
    """Return a first name as it is shown to somebody else; never nothing."""
    return cleaned(first_name) or "…"


def _is_odd(character: str) -> bool:
    kind = unicodedata.category(character)
    return character in _MARKS or (kind in _ODD_KINDS and character not in _JOINERS)


def _folded(value: str) -> str:
    """Return a text as a browser looks up a domain, without joiners and marks, which may be part of one."""
    joined = value.translate(dict.fromkeys(map(ord, _JOINERS)))
    text = unicodedata.normalize("NFKC", joined.translate(_DOTS)).translate(_DOTS)
    return "".join(character for character in text if unicodedata.category(character)[0] != "M")


def _has_too_many_digits(value: str) -> bool:
    return sum(character.isdigit() for character in value) > DIGITS_MAX
