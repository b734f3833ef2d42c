"""What `loaddata initial_data` promises: the shops, staff of every kind, and no harm if it is repeated."""

import json
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db.models import Model
from django.utils.text import slugify

from accounts.models import Membership, Shop, User
from notifications.api.serializers import AlertInSerializer
from notifications.models import Alert, ContactPoint, Preference

pytestmark = pytest.mark.django_db

CHAINS = (
    "Carrefour", "Leclerc", "Auchan", "Intermarché", "Monoprix", "Super U", "Casino", "Franprix", "Cora",
    "Carrefour Market",
)  # fmt: skip
MODELS: tuple[type[Model], ...] = (Shop, User, Membership, Preference, ContactPoint)
SAMPLES = sorted(Path(settings.BASE_DIR, "fixtures", "alerts").glob("*.json"))


@pytest.fixture(autouse=True)
def _loaded(db: None) -> None:
    call_command("loaddata", "initial_data", verbosity=0)


def rows() -> dict[str, list[dict[str, object]]]:
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in MODELS}


@pytest.mark.slow
def test_shops_are_there_by_slug_and_name() -> None:
    expected = {(slugify(name), name) for name in CHAINS} | {("fr-auchan-larochelle", "Auchan La Rochelle")}
    assert set(Shop.objects.values_list("slug", "name")) == expected


@pytest.mark.slow
def test_each_shop_has_staff_of_differing_levels() -> None:
    for shop in Shop.objects.all():
        staff = User.objects.filter(memberships__shop=shop, memberships__left_at=None, is_active=True)
        assert 3 <= staff.count() <= 8
        assert staff.filter(preference__level="CRITICAL").exists()
        assert staff.exclude(preference__level="CRITICAL").exists()


@pytest.mark.slow
def test_cast_has_everyone_that_rules_distinguish() -> None:
    assert User.objects.filter(is_active=False).exists()
    assert Membership.objects.exclude(left_at=None).exists()
    assert max(Counter(Membership.objects.values_list("user", flat=True)).values()) == 2
    assert set(ContactPoint.objects.values_list("channel", flat=True)) == {"inbox", "console"}
    assert ContactPoint.objects.filter(is_enabled=False).exists()
    assert (
        User.objects.filter(contact_points=None).count() > User.objects.exclude(contact_points=None).count()
    )


@pytest.mark.slow
def test_nobody_can_log_in_or_be_reached() -> None:
    for user in User.objects.all():
        assert not user.has_usable_password()
        assert user.email.endswith(("@example.com", "@example.org"))


@pytest.mark.slow
def test_rows_are_as_the_models_would_make_them() -> None:
    before = rows()
    for model in MODELS:
        for row in model._default_manager.all():
            row.full_clean()
            if not isinstance(row, Preference):  # whose save() notes the time
                row.save()
    assert rows() == before


@pytest.mark.slow
def test_loading_again_changes_nothing() -> None:
    before = rows()
    call_command("loaddata", "initial_data", verbosity=0)
    assert rows() == before


@pytest.mark.slow
def test_staff_can_be_added_afterwards() -> None:
    user = User.objects.create_user(email="new@example.com")
    Membership.objects.create(user=user, shop=Shop.objects.get(slug="cora"))


@pytest.mark.slow
@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_sample_alert_is_valid(path: Path) -> None:
    payload = json.loads(path.read_text())
    serializer = AlertInSerializer(data=payload)
    assert serializer.is_valid(), serializer.errors
    assert payload["label"] == path.stem
    assert payload["location"] in {name for row in Shop.objects.values_list("slug", "name") for name in row}


@pytest.mark.slow
def test_there_is_a_sample_of_every_label() -> None:
    assert {path.stem for path in SAMPLES} == set(Alert.Label.values)
