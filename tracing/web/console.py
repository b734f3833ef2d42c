"""Where the console looks for cases and devices: by their ids alone."""

from collections.abc import Iterator

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext

from accounts.models import User
from config.digits import id_in, whole
from notifications.web.console.finding import MOST, Hit, when
from tracing.intake.checking import DEVICE_MAX
from tracing.models import Case


def found(person: User, text: str) -> Iterator[Hit]:
    """Yield the case of an id, or those of a device, which all staff may see; whoever opens one is noted."""
    device = whole(text, most=DEVICE_MAX)
    named = Q(device_id=device) if device is not None else Q(pk=id_in(text))
    for case in Case.objects.filter(named).order_by("-pk")[:MOST]:
        about = f"{case.get_state_display()}, {when(case.opened_at)}"
        yield Hit(gettext("Case"), str(case.pk), about, reverse("tracing:case", args=[case.pk]))
