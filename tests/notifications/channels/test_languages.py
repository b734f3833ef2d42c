"""What channels say of their own, they say in every language that people may choose."""

from django.conf import settings

from escalation.voice import twiml
from notifications.channels import email

LANGUAGES = {code for code, _ in settings.LANGUAGES}


def test_mails_lead_out_in_every_language() -> None:
    assert email._UNSUBSCRIBE.keys() == LANGUAGES


def test_calls_speak_every_language_with_a_voice_of_its_own() -> None:
    assert twiml._WORDS.keys() == twiml._VOICES.keys() == LANGUAGES
    assert len({frozenset(words) for words in twiml._WORDS.values()}) == 1
