"""The operator's face: who was or was not told of what, and why; and starting again what failed."""

from django.contrib import admin
from django_rq import admin as _queue_admin  # noqa: F401  (registers it)
from django_rq.models import Dashboard

from notifications.admin import (  # noqa: F401  (each registers its pages on import)
    alerts,
    caller_ids,
    contact_points,
    dead_messages,
    deliveries,
    delivery_actions,
    events,
    message_templates,
    people,
)

# All staff could reach these pages: below /django-rq/ they are for superusers.
admin.site.unregister(Dashboard)
