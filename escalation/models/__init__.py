"""Processes that keep ringing, what starts them, who is on call, and what other systems report."""

from escalation.models.calendar import CalendarSpell, LayerCalendar
from escalation.models.cover import CoverRequest
from escalation.models.drill import Drill, DrillAnswer
from escalation.models.entry import Entry
from escalation.models.group import AlertGroup, AlertOccurrence, GroupedAlert, Route, Silence
from escalation.models.hang_up import HangUp
from escalation.models.heartbeat import Heartbeat, HeartbeatPing, HeartbeatWatch, PingKey
from escalation.models.hole import Hole
from escalation.models.integration import IntakeRequest, Integration
from escalation.models.policy import Policy, PolicyVersion
from escalation.models.process import EscalationProcess
from escalation.models.round_robin import RoundRobin
from escalation.models.schedule import Layer, LayerMember, Schedule, ScheduleOverride

__all__ = [
    "AlertGroup",
    "AlertOccurrence",
    "CalendarSpell",
    "CoverRequest",
    "Drill",
    "DrillAnswer",
    "Entry",
    "EscalationProcess",
    "GroupedAlert",
    "HangUp",
    "Heartbeat",
    "HeartbeatPing",
    "HeartbeatWatch",
    "Hole",
    "IntakeRequest",
    "Integration",
    "Layer",
    "LayerCalendar",
    "LayerMember",
    "PingKey",
    "Policy",
    "PolicyVersion",
    "RoundRobin",
    "Route",
    "Schedule",
    "ScheduleOverride",
    "Silence",
]
