"""A text is looked at before it is saved: what is wrong with it is said of the part that is wrong."""

import pytest
from django.utils import timezone

from notifications.messages.validation import preview
from notifications.models import Event

pytestmark = pytest.mark.django_db


def faults(
    title: str = "t", body: str = "", *, kind: str = "alert", channel: str = ""
) -> dict[str, list[str]]:
    return preview(kind=kind, language="en", channel=channel, title=title, body=body).faults


def test_a_good_text_is_shown_with_the_example() -> None:
    shown = preview(
        kind="alert", language="fr", channel="", title="Vol : {{ shop }}", body='{{ time_spotted|date:"F" }}'
    )
    assert shown.faults == {}
    assert shown.text == ("Vol : Auchan La Rochelle", "mars")


def test_what_does_not_compile_is_named_with_its_line() -> None:
    assert faults("t", "a\nb {% nope %}") == {"body": ["Body, line 2: Invalid block tag: 'nope'"]}
    assert faults("{{ a|nope }}", "fine") == {"title": ["Title, line 1: Invalid filter: 'nope'"]}


def test_both_parts_are_looked_at() -> None:
    assert faults("{% if %}", "{% if %}").keys() == {"title", "body"}


def test_unknown_names_are_named_with_those_that_there_are() -> None:
    (problem,) = faults("{{ shp }} {{ shop }}")["title"]
    assert problem.startswith(
        "Unknown: shp. Known here: alert_uuid, label, location, product_name, public_url, shop,"
    )
    (problem,) = faults("t", "{{ shop.name }}{% for x in xs %}{{ x.y }}{% endfor %}")["body"]
    assert problem.startswith("Unknown: shop.name, xs.")


def test_names_that_the_text_makes_itself_are_known() -> None:
    loop = "{% for x in items %}{{ x.title }}{{ forloop.counter }}{% endfor %}"
    assert faults("t", loop + "{% with n=count %}{{ n }}{% endwith %}", kind="digest") == {}


@pytest.mark.parametrize("title", ["", "   "])
def test_a_title_cannot_be_empty(title: str) -> None:
    assert faults(title) == {"title": ["The title can't be empty."]}


def test_a_title_cannot_come_out_empty() -> None:
    assert faults("{% if label == 'x' %}a{% endif %}") == {"title": ["With the example: the title is empty."]}


def test_a_text_can_be_too_long() -> None:
    assert faults("x" * 501) == {"title": ["Longer than 500 characters: 501."]}
    assert faults("x", "y" * 10_001) == {"body": ["Longer than 10000 characters: 10001."]}
    assert faults("x" * 500, "y" * 10_000) == {}


def test_a_text_that_makes_too_much_is_refused() -> None:
    loop = "{% for a in label %}" * 12 + "xxxxxxxxxx" + "{% endfor %}" * 12
    (problem,) = faults("t", loop)["body"]
    assert problem.startswith("With the example: TooMuch: it makes more than")


def test_a_mail_without_its_link_is_worth_nothing() -> None:
    assert faults("t", "Hello!", kind="account.password_reset") == {
        "body": ["It must hold {{ code }} or {{ link }}."]
    }
    assert faults("t", "{{ link }}", kind="account.password_reset") == {}
    assert faults("{{ code }}", "", kind="account.verify_phone") == {}


def test_a_preview_shows_no_secret() -> None:
    shown = preview(kind="account.password_reset", language="en", channel="", title="t", body="{{ link }}")
    assert shown.text == ("t", "⟦link⟧")


@pytest.mark.parametrize("channel", ["webhook", "inbox", "third_party"])
def test_a_secret_kind_has_texts_for_its_own_channels_only(channel: str) -> None:
    assert faults("t", "{{ link }}", kind="account.password_reset", channel=channel) == {
        "channel": ["Messages of this kind hold secrets: they are sent by email and sms only."]
    }


def test_a_kind_without_files_takes_its_newest_event_for_the_example() -> None:
    for name in ("Ana", "Bea"):
        Event.objects.create(
            routing_key="student.graduated",
            source="s",
            payload={"first_name": name},
            occurred_at=timezone.now(),
        )
    shown = preview(
        kind="student.graduated",
        language="en",
        channel="",
        title="Bravo, {{ first_name }}!",
        body="{{ other }}",
    )
    assert shown.text == ("Bravo, Bea!", "")


def test_nobody_knows_the_names_of_a_kind_that_has_never_happened() -> None:
    assert faults("A {{ b }}", kind="stage.paused") == {}
