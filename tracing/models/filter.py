"""What virologists set: who counts as exposed, and what they are told."""

import re
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.ids import UUIDv7Field
from config import clock
from tracing.models.device import Device

#: The parts of a text, as the originals name them, with the longest that each may be.
PARTS: Final = {"title": 200, "shortDescription": 500, "description": 5000}
LANGUAGE_MAX: Final = 8
LANGUAGE: Final = "[A-Za-z]{2,3}(-[A-Za-z0-9]{2,4})?"
#: Below the 327.67 m from which on records don't say how far (intake.records): so no limit is among those.
DISTANCE_MAX_M: Final = 327.0
TIME_MAX_S: Final = 14 * 86_400
ROUNDS_MAX: Final = 5


def validate_content(content: Any) -> None:
    """Check texts by language: ``{"en": {"title", "shortDescription", "description"}}``."""
    if not isinstance(content, dict) or not content:
        raise ValidationError('Expected texts by language: {"en": {"title": …, "shortDescription": …}}.')
    for language, text in content.items():
        if not isinstance(language, str) or not re.fullmatch(LANGUAGE, language):
            raise ValidationError("Expected language codes, such as en or fr-CA.")
        if not isinstance(text, dict) or set(text) - set(PARTS):
            raise ValidationError(f"{language}: expected an object of {', '.join(PARTS)}.")
        for part, longest in PARTS.items():
            value = text.get(part, "")
            if not isinstance(value, str) or len(value) > longest or "\0" in value:
                raise ValidationError(
                    f"{language}.{part}: expected a string of at most {longest} characters."
                )
        if not text.get("title", "").strip():
            raise ValidationError(f"{language}.title: expected a title.")


class Criteria(models.Model):
    """Who counts as exposed and what they are told. Times are of contacts in all, distances of records."""

    status = models.PositiveSmallIntegerField(
        choices=Device.Status.choices,
        default=Device.Status.SUSPECT,
        help_text="What the exposed are told that they are.",
    )
    time_min_s = models.PositiveIntegerField(
        default=900, validators=[MaxValueValidator(TIME_MAX_S)], help_text="Least contact, in seconds."
    )
    time_max_s = models.PositiveIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(TIME_MAX_S)], help_text="Empty: no limit."
    )
    distance_min_m = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(DISTANCE_MAX_M)],
        help_text=f"Metres, up to {DISTANCE_MAX_M:.0f}.",
    )
    distance_max_m = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(DISTANCE_MAX_M)],
        help_text=f"Metres, up to {DISTANCE_MAX_M:.0f}; empty: no limit.",
    )
    rounds = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(ROUNDS_MAX)],
        help_text="Degrees of closeness.",
    )
    language = models.CharField(
        max_length=LANGUAGE_MAX,
        default=settings.LANGUAGE_CODE,
        help_text="For devices whose own language has no text.",
    )
    content = models.JSONField(
        default=dict,
        validators=[validate_content],
        help_text='{"en": {"title": "…", "shortDescription": "…", "description": "…"}}',
    )

    CRITERIA: ClassVar = (
        "status", "time_min_s", "time_max_s", "distance_min_m", "distance_max_m", "rounds", "language",
        "content",
    )  # fmt: skip

    class Meta:
        abstract = True

    def clean(self) -> None:
        errors = {}
        # What is None has been refused by its field already, or stands for no limit.
        if self.time_max_s is not None and self.time_max_s < (self.time_min_s or 0):
            errors["time_max_s"] = "Expected no less than time_min_s."
        if self.distance_max_m is not None and self.distance_max_m < (self.distance_min_m or 0):
            errors["distance_max_m"] = "Expected no less than distance_min_m."
        if isinstance(self.content, dict) and self.content and self.language not in self.content:
            errors["content"] = f"Expected a text in the filter's own language, {self.language}."
        if errors:
            raise ValidationError(errors)

    def criteria(self) -> dict[str, Any]:
        """Return what a version of it keeps."""
        return {name: getattr(self, name) for name in self.CRITERIA}


class Filter(Criteria):
    """A filter as it is now; ``version`` numbers its criteria. Inactive ones find nobody."""

    id = UUIDv7Field()
    name = models.CharField(max_length=100, unique=True)
    is_active = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class FilterVersion(Criteria):
    """Criteria as they once were: never changed, since cases are explained by them."""

    id = UUIDv7Field()
    filter = models.ForeignKey(Filter, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("filter", "-number")
        constraints = [models.UniqueConstraint(fields=["filter", "number"], name="filter_version_once")]

    def __str__(self) -> str:
        return f"{self.filter}, version {self.number}"

    @classmethod
    def of(cls, filter: Filter) -> Self:
        """Return a version (not stored yet) of the filter as it is."""
        return cls(filter=filter, number=filter.version, **filter.criteria())
