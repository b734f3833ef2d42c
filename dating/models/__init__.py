"""Dating's tables: who takes part in what, and each evening's groups, rounds, dates and rooms."""

from dating.evening.steps import STATE_OF, State, Step
from dating.models.bot import BotAccount
from dating.models.evening import Date, Group, Room, Round, Seat
from dating.models.event import Event, LogEntry, RecurringRule
from dating.models.profile import DatingProfile
from dating.models.reaction import Reaction
from dating.models.registration import Registration

__all__ = [
    "STATE_OF", "BotAccount", "Date", "DatingProfile", "Event", "Group", "LogEntry", "Reaction",
    "RecurringRule", "Registration", "Room", "Round", "Seat", "State", "Step",
]  # fmt: skip
