"""What matching knows of a person."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from config import clock
from dating.ages import validate_birthday


class DatingProfile(models.Model):
    """Whom somebody seeks, and what the score of a pair is made of; without a birthday nobody is matched."""

    class Seeks(models.TextChoices):
        WOMEN = "women", gettext_lazy("Women")
        MEN = "men", gettext_lazy("Men")
        ANYONE = "anyone", gettext_lazy("Anyone")

    id = UUIDv7Field()
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="dating_profile"
    )
    birthday = models.DateField(null=True, blank=True, validators=[validate_birthday])
    city = models.CharField(max_length=100, blank=True)
    seeks = models.CharField(
        max_length=8,
        choices=Seeks.choices,
        default=Seeks.ANYONE,
        help_text="In an event of two pools this decides the pool; anyone: whichever is smaller.",
    )
    manual_score = models.PositiveSmallIntegerField(
        default=2,
        validators=[MinValueValidator(1), MaxValueValidator(3)],
        help_text="Given by the organisers, from 1 to 3; people of the same score go well together.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(manual_score__gte=1, manual_score__lte=3), name="profile_manual_score"
            )
        ]

    def __str__(self) -> str:
        return str(self.user)
