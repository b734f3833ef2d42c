"""Dating in the admin: evenings and the rules that make them, people's profiles, and what they report."""

from dating.admin import bot, events, people

__all__ = ["bot", "events", "people"]
