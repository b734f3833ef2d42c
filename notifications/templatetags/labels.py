"""Codes of channels and severities, and people, as one calls them, in the reader's language."""

from django import template

from accounts.models import User
from notifications.channels import registry
from notifications.channels.labels import channel_label
from notifications.models import ContactPoint, Severity

register = template.Library()


@register.filter
def channel_name(code: str) -> str:
    return channel_label(code) if code else ""


@register.filter
def point_name(point: ContactPoint) -> str:
    """Return what tells a contact point from a person's others: its label, or what others may see of it."""
    shown = point.label or registry.shown(point.channel, point.address)
    return f"{channel_label(point.channel)} {shown}".strip()


@register.filter
def person_name(user: User) -> str:
    """Return somebody's name, or their email where they have none."""
    return f"{user.first_name} {user.last_name}".strip() or user.email


@register.filter
def severity_name(code: str) -> str:
    return str(Severity(code).label) if code in Severity.values else code
