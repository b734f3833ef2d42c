"""Checks on what people say about themselves."""

import pytest
from django.core.exceptions import ValidationError

from accounts import validators
from notifications.channels.transport import twilio


@pytest.mark.parametrize(
    "number",
    ["+33 1 42 68 53 00 ext. 12", "+33142685300;ext=12", "+33142685300#12", "tel:+33142685300;ext=12"],
)
def test_a_number_with_an_extension_is_refused_and_not_shortened(number: str) -> None:
    for normalised in (validators.normalised_phone, twilio.normalised_number):
        with pytest.raises(ValidationError, match="Extensions can't be dialled"):
            normalised(number)
        assert normalised("+33 1 42 68 53 00") == "+33142685300"


def test_the_time_zones_there_are_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading them takes longer than looking one up, and each registration asks."""
    reads: list[int] = []

    def read() -> set[str]:
        reads.append(1)
        return {"UTC", "Europe/Paris"}

    monkeypatch.setattr(validators, "available_timezones", read)
    validators._time_zones.cache_clear()
    try:
        for _ in range(3):
            validators.validate_time_zone("Europe/Paris")
        with pytest.raises(ValidationError):
            validators.validate_time_zone("Mars/Base")
    finally:
        validators._time_zones.cache_clear()
    assert reads == [1]
