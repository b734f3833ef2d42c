"""What to set in a system that is to report here."""

from django.conf import settings

from escalation.models import Integration

Format = Integration.Format


def url_of(integration: Integration) -> str:
    """Return the address to set; of Opsgenie's clients, which know the paths, what comes before these."""
    origin = settings.PUBLIC_URL
    match integration.format:
        case Format.PAGERDUTY:
            return f"{origin}/integrations/pagerduty/{integration.key}/v2/enqueue"
        case Format.OPSGENIE:
            return f"{origin}/integrations/opsgenie/"
        case _:
            return f"{origin}/integrations/{integration.format}/{integration.key}/"
