"""Which of a notification's frozen texts a delivery gets."""

from collections.abc import Mapping, Sequence

from django.conf import settings

Texts = Mapping[str, Mapping[str, Sequence[str]]]


def text_for(title: str, body: str, texts: Texts, *, language: str, channel: str) -> tuple[str, str]:
    """Return title and body: the narrowest of the language's own, else the default language's.

    ``texts`` is ``Notification.texts``: language, then channel ("" for all others), then title and body.
    It leaves out what equals the default.
    """
    if not texts:
        return title, body
    own = texts.get(language)
    if own is None:
        own = texts.get(settings.LANGUAGE_CODE, {})
    found = own.get(channel) or own.get("") or (title, body)
    return found[0], found[1]
