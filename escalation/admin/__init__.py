"""Escalations for the operators."""

from escalation.admin import groups, integrations, policies, processes, rotations

__all__ = ["groups", "integrations", "policies", "processes", "rotations"]
