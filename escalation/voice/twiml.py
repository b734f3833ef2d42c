"""What a call says, as TwiML (twilio.com/docs/voice/twiml). Pure."""

from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

#: The key that acknowledges.
KEY: Final = "1"
# Twilio takes 4096 characters; nobody listens to so many.
MAX_SAID: Final = 1500
# Seconds that a key is waited for after the last word.
_WAIT_S: Final = 8
# The voices' names for the product's languages; Twilio's own default for others.
_VOICES: Final[Mapping[str, str]] = {"en": "en-GB", "fr": "fr-FR", "ru": "ru-RU"}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "ask": "Press 1 to acknowledge.",
        "again": "That key does nothing here.",
        "no_key": "No key was pressed. Goodbye.",
        "thanks": "Thank you. It is acknowledged. Nobody else will be called.",
        "over": "It has already been dealt with. Goodbye.",
        "locked": "Your account is locked, so you can't acknowledge this. Goodbye.",
    },
    "fr": {
        "ask": "Appuyez sur 1 pour acquitter.",
        "again": "Cette touche n'a pas de fonction ici.",
        "no_key": "Aucune touche n'a été pressée. Au revoir.",
        "thanks": "Merci. C'est acquitté. Personne d'autre ne sera appelé.",
        "over": "C'est déjà réglé. Au revoir.",
        "locked": "Votre compte est bloqué : vous ne pouvez pas acquitter. Au revoir.",
    },
    "ru": {
        "ask": "Нажмите один, чтобы принять.",
        "again": "Эта клавиша здесь ничего не делает.",
        "no_key": "Ни одна клавиша не нажата. До свидания.",
        "thanks": "Спасибо. Принято. Больше никому звонить не будут.",
        "over": "Этим уже занялись. До свидания.",
        "locked": "Ваша учётная запись заблокирована, поэтому принять вы не можете. До свидания.",
    },
}


def asking(texts: list[str], *, language: str, action: str, again: bool = False) -> str:
    """Say what it is about and wait for the key; all of it twice, for those who pick up late.

    Args:
        action: the URL that a pressed key is posted to.
        again: a key was pressed that means nothing.
    """
    response = Element("Response")
    options = {"input": "dtmf", "numDigits": "1", "timeout": str(_WAIT_S), "method": "POST", "action": action}
    gather = SubElement(response, "Gather", options)
    if again:
        _say(gather, _word("again", language), language)
    for turn in range(2):
        if turn:
            SubElement(gather, "Pause", {"length": "1"})
        for text in texts:
            _say(gather, text, language)
        _say(gather, _word("ask", language), language)
    _say(response, _word("no_key", language), language)
    return _ended(response)


def telling(texts: list[str], *, language: str) -> str:
    """Say something and hang up."""
    response = Element("Response")
    for text in texts:
        _say(response, text, language)
    return _ended(response)


def saying(word: str, *, language: str) -> str:
    """Say one of our own sentences (``thanks``, ``over``, ``locked``) and hang up."""
    return telling([_word(word, language)], language=language)


def _word(name: str, language: str) -> str:
    return _WORDS.get(language, _WORDS["en"])[name]


def _say(parent: Element, text: str, language: str) -> None:
    # Without what XML can't hold, and no longer than anybody listens.
    whole = "".join(character if character.isprintable() else " " for character in text)
    spoken = " ".join(whole.split())[:MAX_SAID]
    if spoken:
        voice = _VOICES.get(language)
        SubElement(parent, "Say", {"language": voice} if voice else {}).text = spoken


def _ended(response: Element) -> str:
    SubElement(response, "Hangup")
    return ElementTree.tostring(response, encoding="unicode", xml_declaration=True)
