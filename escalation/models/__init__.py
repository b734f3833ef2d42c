"""Processes that keep ringing, the policies that they are started by, and who is on call."""

from escalation.models.hang_up import HangUp
from escalation.models.policy import Policy, PolicyVersion
from escalation.models.process import EscalationProcess
from escalation.models.rotation import Rotation, RotationMember, RotationOverride

__all__ = [
    "EscalationProcess",
    "HangUp",
    "Policy",
    "PolicyVersion",
    "Rotation",
    "RotationMember",
    "RotationOverride",
]
