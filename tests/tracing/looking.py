"""What tests ask of cases and notices."""

from notifications.models import Delivery
from tracing.models import Case, Exposure


def exposed(case: Case) -> set[int]:
    return set(Exposure.objects.filter(case=case).values_list("device_id", flat=True))


def told(case: Case) -> list[Delivery]:
    """Return the deliveries of a case's notices, by address."""
    of_case = {"notification__source_type": "tracing_case", "notification__source_id": str(case.pk)}
    return list(Delivery.objects.filter(**of_case).select_related("notification").order_by("address"))
