"""Web Push: what the push service and the browser behind it check, and what answers mean."""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.exceptions import ValidationError
from django.core.management import call_command
from pytest_django.fixtures import Settings

from notifications.channels import registry
from notifications.channels.message import Gone, Receipt, Rejected, TooFast, Unavailable
from notifications.channels.transport import web_push
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.servers.push_service import PushService, decoded, encoded

CHANNEL = registry.get("webpush")
LINK = "http://localhost:8000/acknowledge/AbC-1.x_Y.z/"


@pytest.fixture
def service(settings: Settings) -> Iterator[PushService]:
    settings.WEB_PUSH_KEY, settings.WEB_PUSH_SUBJECT = web_push.new_key(), "mailto:ops@example.com"
    with PushService() as server:
        yield server


def test_the_example_of_rfc_8291_is_encrypted_as_its_appendix_says() -> None:
    keys = web_push.keys_of(
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ".BTBZMqHH6r4Tts7J_aSIgg"
    )
    body = web_push.encrypted(
        b"When I grow up, I want to be a watermelon",
        keys,
        sender=web_push.key_of("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        salt=decoded("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert encoded(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6"
        "PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


async def test_a_message_is_what_the_browser_decrypts(
    session: Session, service: PushService, message: MessageBuilder
) -> None:
    sent = message(address=service.address)
    assert await CHANNEL.send(sent, session) == Receipt(201)
    (pushed,) = service.messages
    assert pushed.content == {
        "title": "Theft at Auchan La Rochelle",
        "body": "Aisle 4, two persons.",
        "tag": str(sent.delivery_id),
        "severity": "critical",
        "url": "https://media.example.com/clip.mp4",
    }
    assert pushed.claims["sub"] == "mailto:ops@example.com"
    # The same at each attempt, so that a repeat replaces what it repeats.
    assert pushed.topic == encoded(sent.delivery_id.bytes)
    assert "#" not in service.requests[0].path


@pytest.mark.parametrize(("severity", "urgency"), [("critical", "high"), ("standard", "normal")])
async def test_only_what_cannot_wait_wakes_a_sleeping_device(
    session: Session,
    service: PushService,
    message: MessageBuilder,
    settings: Settings,
    severity: str,
    urgency: str,
) -> None:
    settings.DELIVERY_MAX_AGE_H = 2
    await CHANNEL.send(message(address=service.address, severity=severity), session)
    assert (service.messages[0].urgency, service.messages[0].ttl_s) == (urgency, 7200)


async def test_the_link_that_acknowledges_is_apart_from_the_text(
    session: Session, service: PushService, message: MessageBuilder
) -> None:
    body = f"Aisle 4.\n\nAcknowledge: {LINK}"
    await CHANNEL.send(message(address=service.address, body=body), session)
    content = service.messages[0].content
    assert content["acknowledge"] == LINK
    assert content["words"] == {"acknowledge": "Acknowledge"}
    assert LINK not in content["body"]


@pytest.mark.parametrize("text", ["a" * 50_000, "🔔" * 5000, "\x01" * 5000, '"\\' * 5000])
async def test_whatever_the_text_it_fits_in_one_record(
    session: Session, service: PushService, message: MessageBuilder, text: str
) -> None:
    long = message(
        address=service.address,
        title=text,
        body=f"{text}.",
        data={"url": f"https://a.example/{text[:900]}"},
    )
    assert await CHANNEL.send(long, session) == Receipt(201)
    assert service.messages[0].size <= 4096
    assert service.messages[0].content["body"].endswith("…")


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_gone_switches_its_contact_point_off(
    session: Session, service: PushService, message: MessageBuilder, status: int
) -> None:
    service.refuse(status)
    with pytest.raises(Gone, match=f"^answered {status}: the subscription is not there any more$"):
        await CHANNEL.send(message(address=service.address), session)


async def test_a_push_service_that_asks_for_less_holds_its_lane(
    session: Session, service: PushService, message: MessageBuilder
) -> None:
    service.refuse(429, "Retry-After: 17")
    with pytest.raises(TooFast) as failure:
        await CHANNEL.send(message(address=service.address), session)
    assert failure.value.retry_after == 17


@pytest.mark.parametrize(("status", "kind"), [(413, Rejected), (403, Rejected), (503, Unavailable)])
async def test_other_answers_are_final_or_pass(
    session: Session, service: PushService, message: MessageBuilder, status: int, kind: type[Exception]
) -> None:
    service.refuse(status)
    with pytest.raises(kind, match=f"^answered {status}") as failure:
        await CHANNEL.send(message(address=service.address), session)
    assert type(failure.value) is kind


def _address(endpoint: str, keys: str = "") -> str:
    point = web_push.encoded(web_push.point_of(ec.generate_private_key(ec.SECP256R1())))
    return f"{endpoint}#{keys or f'{point}.{encoded(bytes(16))}'}"


@pytest.mark.parametrize(
    "address",
    [
        "https://push.example.com/a",
        _address("ftp://push.example.com/a"),
        _address("https://push.example.com/a", "short.keys"),
        _address("https://push.example.com/a", f"{encoded(bytes(65))}.{encoded(bytes(16))}"),
        _address("https://push.example.com/" + "a" * 1990),
    ],
)
def test_what_is_no_subscription_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        CHANNEL.normalised_address(address)


def test_private_networks_are_not_reached(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    with pytest.raises(ValidationError, match="public address"):
        CHANNEL.normalised_address(_address("https://10.1.2.3/push"))


async def test_nor_are_they_by_a_name(
    session: Session, service: PushService, message: MessageBuilder, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    address = service.address.replace("127.0.0.1", "localhost")
    with pytest.raises(Rejected, match="not a public one"):
        await CHANNEL.send(message(address=address), session)
    assert not service.requests


def test_a_subscription_has_one_form() -> None:
    address = _address("https://PUSH.example.com:443/a")
    normal = CHANNEL.normalised_address(address)
    assert normal.startswith("https://push.example.com/a#")
    assert CHANNEL.normalised_address(normal) == normal
    assert CHANNEL.normalised_address(f"{normal}==") == normal


def test_it_is_offered_once_there_is_a_key(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    for none in ("", "a b", "AAAA", encoded(bytes(32))):
        settings.WEB_PUSH_KEY = none
        assert not registry.is_offered("webpush")
    call_command("new_web_push_key")
    settings.WEB_PUSH_KEY = capsys.readouterr().out.strip()
    assert registry.is_offered("webpush")
