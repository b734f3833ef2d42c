"""A delivery gets the narrowest text that there is of its language and channel."""

import pytest

from notifications.messages.texts import text_for

TEXTS = {
    "en": {"sms": ["en sms", "short"]},
    "fr": {"": ["fr", "tout"], "email": ["fr email", "long"]},
}


@pytest.mark.parametrize(
    ("language", "channel", "expected"),
    [
        ("en", "email", ("general", "all")),
        ("en", "sms", ("en sms", "short")),
        ("fr", "email", ("fr email", "long")),
        ("fr", "inbox", ("fr", "tout")),
        ("fr", "sms", ("fr", "tout")),  # one's own language before one's own channel
        ("de", "sms", ("en sms", "short")),
        ("de", "email", ("general", "all")),
    ],
)
def test_the_language_comes_first_and_then_the_channel(
    language: str, channel: str, expected: tuple[str, str]
) -> None:
    assert text_for("general", "all", TEXTS, language=language, channel=channel) == expected


def test_a_notification_from_before_there_were_texts_has_one_text_for_all() -> None:
    assert text_for("general", "all", {}, language="fr", channel="sms") == ("general", "all")
