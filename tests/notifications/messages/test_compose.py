"""A notification is rendered once, in all its languages, and nothing keeps it from being told."""

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from notifications.engine.fanout import alert_notification
from notifications.messages import catalogue
from notifications.messages.compiled import Compiled, Text
from notifications.messages.compose import composed, has_texts, notification_of
from notifications.messages.sandbox import PlainTemplate
from notifications.messages.texts import text_for
from notifications.models import MessageTemplate, Notification
from tests.factories import AlertFactory, ShopFactory

LANGUAGES = ("en", "fr")
CHANNELS = ("", "email", "sms")
TextsOf = Callable[..., dict[tuple[str, str], Compiled]]


def told(notification: Notification, language: str, channel: str = "webhook") -> tuple[str, str]:
    return text_for(
        notification.title, notification.body, notification.texts, language=language, channel=channel
    )


def make(kind: str, data: dict[str, Any], **options: Any) -> Notification:
    return notification_of(
        kind=kind, data=data, source_type="s", source_id="1", dedup_key=f"{kind}:1", **options
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("label", "shown"), [("theft", "Theft"), ("suspicious", "Suspicious"), ("normal", "Normal")]
)
def test_an_alert_is_told_in_the_words_it_always_had(label: str, shown: str) -> None:
    alert = AlertFactory(label=label, shop=ShopFactory(name="Joe's <Shop> & Co"))
    notification = alert_notification(alert)
    assert notification.title == f"{shown} at Joe's <Shop> & Co"
    assert notification.body == f"Spotted at {alert.time_spotted:%Y-%m-%d %H:%M:%S} UTC."


@pytest.mark.django_db
def test_an_alert_is_told_in_french_to_who_speaks_it() -> None:
    notification = alert_notification(AlertFactory(label="theft", shop=ShopFactory(name="Cora")))
    title, body = told(notification, "fr")
    assert title == "Vol : Cora"
    assert body.startswith("Observé le ")
    assert told(notification, "en") == (notification.title, notification.body)


@pytest.mark.django_db
def test_what_is_told_keeps_its_fields_and_is_not_stored_yet() -> None:
    notification = make("test", {"a": 1}, severity="critical")
    assert notification.data == {"a": 1}
    assert notification.severity == "critical"
    assert (notification.source_type, notification.source_id, notification.dedup_key) == ("s", "1", "test:1")
    assert not Notification.objects.exists()
    notification.save()


@pytest.mark.django_db
def test_variables_can_be_others_than_the_data() -> None:
    data = {"student_id": "1"}
    notification = make("student.created", data, context={"first_name": "Ana"})
    assert notification.title == "Welcome to Tocsin, Ana!"
    assert notification.data == data


@pytest.mark.django_db
def test_the_products_name_is_a_setting_and_no_data_can_pass_for_it(settings: Any) -> None:
    settings.PRODUCT_NAME = "MedTrack"
    assert make("student.created", {"product_name": "Evil"}).title == "Welcome to MedTrack!"


@pytest.mark.django_db
def test_an_override_takes_the_place_of_the_file_in_its_language_only() -> None:
    MessageTemplate.objects.create(kind="alert", language="fr", title="{{ shop }} !", body="Vite")
    notification = make("alert", {"shop": "Cora", "label": "theft"})
    assert told(notification, "fr") == ("Cora !", "Vite")
    assert told(notification, "en")[0] == "Theft at Cora"


@pytest.mark.django_db
def test_an_override_of_one_channel_leaves_the_others_alone() -> None:
    MessageTemplate.objects.create(kind="alert", language="en", channel="sms", title="{{ shop }}")
    notification = make("alert", {"shop": "Cora", "label": "theft"})
    assert told(notification, "en", "sms") == ("Cora", "")
    assert told(notification, "en", "email")[0] == "Theft at Cora"
    assert told(notification, "fr", "sms")[0] == "Vol : Cora"


@pytest.mark.django_db
def test_an_override_that_is_switched_off_is_none() -> None:
    MessageTemplate.objects.create(kind="alert", language="en", title="no", is_active=False)
    assert make("alert", {"shop": "Cora", "label": "theft"}).title == "Theft at Cora"


@pytest.mark.django_db
def test_a_kind_may_live_in_the_admin_alone() -> None:
    assert not has_texts("stage.paused")
    MessageTemplate.objects.create(kind="stage.paused", language="fr", title="En pause : {{ title }}")
    assert has_texts("stage.paused")
    notification = make("stage.paused", {"title": "X"})
    assert told(notification, "fr") == told(notification, "en") == ("En pause : X", "")


@pytest.mark.django_db
def test_a_kind_with_no_text_at_all_is_told_plainly() -> None:
    notification = make("stage.paused_again", {"title": "X", "days": 3, "more": {"secret": 1}})
    assert notification.title == "Stage paused again"
    assert notification.body == "title: X\ndays: 3"
    assert notification.texts == {}


@pytest.mark.django_db
def test_a_faulty_override_gives_way_to_the_file() -> None:
    MessageTemplate.objects.create(kind="alert", language="en", title="{% if %}", body="x")
    MessageTemplate.objects.create(kind="alert", language="fr", title="{{ missing }}", body="x")
    with capture_logs() as logs:
        notification = make("alert", {"shop": "Cora", "label": "theft"})
    assert told(notification, "en")[0] == "Theft at Cora"
    assert told(notification, "fr")[0] == "Vol : Cora"
    faults = [entry for entry in logs if entry["event"] == "message_template_fault"]
    assert [(entry["language"], entry["origin"], entry["log_level"]) for entry in faults] == [
        ("en", "override", "error"),
        ("fr", "override", "error"),
    ]


def test_a_faulty_text_of_a_channel_gives_way_to_the_general_one(redis: None, texts: TextsOf) -> None:
    files = texts({("en", ""): ("general", ""), ("en", "sms"): ("{% broken %}", "")})
    assert composed("k", {}, own={}, files=files) == ("general", "", {})


def test_a_faulty_language_gives_way_to_the_other(redis: None, texts: TextsOf) -> None:
    broken = ("{% broken %}", "")
    french = composed("k", {}, own={}, files=texts({("en", ""): broken, ("fr", ""): ("français", "b")}))
    assert french == ("français", "b", {})
    english = composed("k", {}, own={}, files=texts({("en", ""): ("english", "b"), ("fr", ""): broken}))
    assert english == ("english", "b", {})


def test_where_every_text_is_faulty_the_data_is_told_plainly(redis: None, texts: TextsOf) -> None:
    broken = texts({(language, ""): ("{% broken %}", "") for language in LANGUAGES}, kind="stage.accepted")
    assert composed("stage.accepted", {"title": "X"}, own=broken, files=broken) == (
        "Stage accepted",
        "title: X",
        {},
    )


def test_what_is_the_same_in_every_language_is_stored_once(texts: TextsOf) -> None:
    files = texts({(language, ""): ("{{ a }}", "same") for language in LANGUAGES})
    assert composed("k", {"a": "x"}, own={}, files=files) == ("x", "same", {})


AVAILABLE = st.dictionaries(
    st.tuples(st.sampled_from(LANGUAGES), st.sampled_from(CHANNELS)), st.sampled_from(["a", "b", "c"])
)


@pytest.mark.slow
@given(own=AVAILABLE, files=AVAILABLE)
def test_what_is_left_out_is_found_again(
    own: dict[tuple[str, str], str], files: dict[tuple[str, str], str]
) -> None:
    def compiled(found: dict[tuple[str, str], str]) -> dict[tuple[str, str], Compiled]:
        return {key: Compiled("k", *key, "file", Text(title, "")) for key, title in found.items()}

    result = composed("k", {}, own=compiled(own), files=compiled(files))
    known = {**files, **own}
    general = known.get(("en", "")) or known.get(("fr", "")) or "K"
    for language in LANGUAGES:
        for channel in ("inbox", *CHANNELS[1:]):
            expected = known.get((language, channel)) or known.get((language, ""))
            expected = expected or known.get(("en", channel)) or general
            found = text_for(*result[:2], result.texts, language=language, channel=channel)
            assert found == (expected, "")


@pytest.mark.django_db
def test_making_an_alerts_texts_compiles_and_asks_nothing_anew() -> None:
    """It is on the path of every alert."""
    alert = AlertFactory()
    alert_notification(alert)  # reads the files and the overrides
    source = next(iter(catalogue.texts_of("alert").values())).source
    assert work_of(lambda: Compiled("alert", "en", "", "file", source)) == {"compile": 2}
    with CaptureQueriesContext(connection) as queries:
        assert work_of(lambda: alert_notification(alert)) == {}
    assert len(queries) == 0


def work_of(action: Callable[[], object]) -> Counter[str]:
    """Return how often templates were compiled and files opened meanwhile."""
    seen: Counter[str] = Counter()

    def see(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code is PlainTemplate.compile_nodelist.__code__:
            seen["compile"] += 1
        elif event == "c_call" and argument is open:
            seen["open"] += 1

    sys.setprofile(see)
    try:
        action()
    finally:
        sys.setprofile(None)
    return seen
