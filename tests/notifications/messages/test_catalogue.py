"""The texts that come with the product are whole: every kind in every language, with an example."""

from pathlib import Path

import pytest
from django.conf import settings

from notifications.messages import catalogue
from notifications.messages.compiled import Compiled
from notifications.messages.validation import preview

LANGUAGES = [code for code, _ in settings.LANGUAGES]
TEXTS = [text for kind in catalogue.kinds().values() for text in kind.texts.values()]
EXPECTED = {
    *("alert", "test", "digest", "evaluation.created", "grade.assigned", "offer.created"),
    *(f"student.{what}" for what in ("created", "updated", "deleted")),
    *(f"encadrant.{what}" for what in ("created", "updated", "deleted")),
    *(f"stage.{what}" for what in ("created", "accepted", "rejected", "started", "completed", "cancelled")),
    *(
        f"account.{what}"
        for what in (
            *("verify_email", "verify_phone", "password_reset", "registration_repeated"),
            *("password_changed", "email_changed", "phone_changed", "log_in_ended"),
        )
    ),
}


def name_of(text: Compiled) -> str:
    return f"{text.kind}-{text.language}-{text.channel or 'all'}"


def test_every_kind_that_is_told_has_texts() -> None:
    assert catalogue.kinds().keys() >= EXPECTED


@pytest.mark.parametrize("kind", catalogue.kinds())
def test_a_kind_says_the_same_things_in_every_language(kind: str) -> None:
    texts = catalogue.texts_of(kind)
    channels = {language: {channel for code, channel in texts if code == language} for language in LANGUAGES}
    assert "" in channels["en"]
    whole = all(channels[language] == channels["en"] for language in LANGUAGES)
    assert whole, f"Write a text in every language; there are these, by channel: {channels}."


@pytest.mark.parametrize("kind", catalogue.kinds())
def test_a_kind_describes_what_its_texts_are_given(kind: str) -> None:
    described = catalogue.kinds()[kind]
    assert described.about.endswith(".")
    assert described.variables.keys() == described.sample.keys()
    assert all(meaning.endswith(".") for meaning in described.variables.values())
    assert not described.variables.keys() & catalogue.COMMON.keys()


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("text", TEXTS, ids=name_of)
def test_a_text_makes_sense_of_its_example(text: Compiled) -> None:
    shown = preview(kind=text.kind, language=text.language, channel=text.channel, **text.source._asdict())
    assert shown.faults == {}
    assert shown.text is not None
    assert shown.text.body


@pytest.mark.parametrize("text", TEXTS, ids=name_of)
def test_a_text_can_do_without_anything_that_may_be_missing(text: Compiled) -> None:
    kind = catalogue.kinds()[text.kind]
    needed = {
        name: value
        for name, value in kind.sample.items()
        if not kind.variables[name].endswith("may be missing.")
    }
    title, body = text.render({**needed, **catalogue.common_variables()})
    for written in (title, body):
        assert "None" not in written
        assert "  " not in written
        assert " ." not in written


def write(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)


def test_a_file_is_a_title_an_empty_line_and_a_body(tmp_path: Path) -> None:
    write(tmp_path, "a.b.en.txt", "Title {{ x }}\n\nFirst\n\nSecond\n")
    write(tmp_path, "a.b.fr.sms.txt", "Titre\n")
    kind = catalogue.read((tmp_path,))["a.b"]
    assert kind.texts.keys() == {("en", ""), ("fr", "sms")}
    assert kind.texts["en", ""].source == ("Title {{ x }}", "First\n\nSecond")
    assert kind.texts["fr", "sms"].source == ("Titre", "")


def test_the_files_of_all_apps_are_one_catalogue(tmp_path: Path) -> None:
    (one := tmp_path / "one").mkdir()
    (other := tmp_path / "other").mkdir()
    write(one, "a.en.txt", "A")
    write(other, "b.en.txt", "B")
    assert list(catalogue.read((one, other, tmp_path / "none"))) == ["a", "b"]


@pytest.mark.parametrize("name", ["a.txt", "a.de.txt", "en.txt", "a.sms.en.sms.sms.txt"])
def test_a_misnamed_file_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "Title")
    with pytest.raises(ValueError, match=r"expected <kind>"):
        catalogue.read((tmp_path,))
