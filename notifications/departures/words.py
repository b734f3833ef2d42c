"""What a person was known by, and how it is found in text and taken out of it."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final, Self
from uuid import UUID

from accounts.models import User
from notifications.models import ContactPoint

#: What an address is that can't be anything else: whatever has none of these may be any number or word.
_TELLING: Final = ("@", "://", "+")
# Neither part of a longer address or number, nor of a longer word. PostgreSQL and Python read both alike.
_ADDRESS: Final = r"(?<![\w.+-])(?:{})(?![\w@-])"
_NAME: Final = r"(?<!\w)(?:{})(?!\w)"
# Words of JSON itself, which no name may stand for.
_OF_JSON: Final = frozenset({"true", "false", "null"})
_LEAST: Final = 2


def _addresses(given: Iterable[str]) -> list[str]:
    return sorted({each for each in given if any(mark in each for mark in _TELLING)})


def _names(given: Iterable[str]) -> list[str]:
    return sorted({each for each in given if len(each) >= _LEAST and each.lower() not in _OF_JSON})


class Words:
    """A person's addresses, names and ids. ``stand_in`` is what takes the place of the first two."""

    def __init__(self, person: UUID, *, addresses: list[str], names: list[str], ids: list[str]) -> None:
        self.person, self.addresses, self.names, self.ids = person, addresses, names, ids
        self.stand_in = f"erased-{person}"

    @classmethod
    def of(cls, user: User) -> Self:
        """Collect them, while the account is there."""
        points = ContactPoint.objects.filter(user=user).values_list("address", flat=True)
        profiles = [
            str(known_as)
            for name in ("student", "encadrant")
            if (profile := getattr(user, name, None))
            for known_as in (profile.pk, profile.external_id)
            if known_as
        ]
        return cls(
            user.pk,
            addresses=_addresses([user.email, user.phone, *points]),
            names=_names([user.first_name.strip(), user.last_name.strip()]),
            ids=[str(user.pk), *profiles],
        )

    @classmethod
    def stored(cls, person: UUID, words: dict[str, list[str]]) -> Self:
        return cls(person, **{name: words.get(name, []) for name in ("addresses", "names", "ids")})

    def as_json(self) -> dict[str, list[str]]:
        return {"addresses": self.addresses, "names": self.names, "ids": self.ids}

    def without_others(self) -> "Words":
        """Return these without what somebody else has too: that may mean either of them."""
        of_others = set(User.objects.filter(email__in=self.addresses).values_list("email", flat=True))
        of_others |= set(User.objects.filter(phone__in=self.addresses).values_list("phone", flat=True))
        points = ContactPoint.objects.filter(address__in=self.addresses).exclude(user=self.person)
        of_others |= set(points.values_list("address", flat=True))
        own = [each for each in self.addresses if each not in of_others]
        return Words(self.person, addresses=own, names=[], ids=self.ids)

    def without_names(self) -> "Words":
        return Words(self.person, addresses=self.addresses, names=[], ids=self.ids)

    def with_former(self, payload: Mapping[str, Any]) -> "Words":
        """Return these and what an event says that they were known by then."""
        told = [payload.get(name) for name in ("email", "first_name", "last_name")]
        email, *names = [each.strip() if isinstance(each, str) else "" for each in told]
        return Words(
            self.person,
            addresses=sorted({*self.addresses, *_addresses([email])}),
            names=sorted({*self.names, *_names(names)}),
            ids=self.ids,
        )

    @cached_property
    def pattern(self) -> str:
        """A regular expression, in Python's and PostgreSQL's form; empty where there is nothing to find."""
        parts = []
        for form, words in ((_ADDRESS, self.addresses), (_NAME, self.names)):
            in_json = [json.dumps(word, ensure_ascii=False)[1:-1] for word in words]
            # Longest first: of two that begin alike, the shorter must not leave the longer's rest behind.
            ordered = sorted({*words, *in_json}, key=lambda word: (-len(word), word))
            if words:
                parts.append(form.format("|".join(re.sub(r"(\W)", r"\\\1", word) for word in ordered)))
        return "|".join(parts)

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.IGNORECASE)

    def are_in(self, text: str) -> bool:
        return bool(self.pattern) and self._expression.search(text) is not None

    def masked(self, value: Any) -> Any:
        """Return a value, of JSON or text, in which their stand-in has the place of each of these words."""
        if not self.pattern:
            return value
        if isinstance(value, str):
            return self._expression.sub(self.stand_in, value)
        if isinstance(value, dict):
            return {self.masked(key): self.masked(each) for key, each in value.items()}
        return [self.masked(each) for each in value] if isinstance(value, list) else value
