"""Escalations for the operators."""

from escalation.admin import groups, heartbeats, integrations, policies, processes, schedules

__all__ = ["groups", "heartbeats", "integrations", "policies", "processes", "schedules"]
