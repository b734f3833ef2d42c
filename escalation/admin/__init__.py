"""Escalations for the operators."""

from escalation.admin import policies, processes, rotations

__all__ = ["policies", "processes", "rotations"]
