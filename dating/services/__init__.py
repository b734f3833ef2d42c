"""What changes things in dating. Everything takes ``now``, and does nothing twice."""

from dating.services.advance import event_advance
from dating.services.bot import bot_account_link, bot_account_unlink, bot_chat_learn, bot_code_make
from dating.services.evening import (
    event_end,
    event_extend_round,
    event_pause,
    event_resume,
    join_mark,
    pauses_end,
    ready_mark,
    seat_now,
)
from dating.services.events import event_create, events_recur
from dating.services.leaving import event_drop, person_leaves
from dating.services.moving import event_move, places_set
from dating.services.reactions import (
    had_date,
    have_met,
    matches_of_event,
    partners_of,
    people_met,
    reaction_record,
)
from dating.services.registrations import (
    profile_lacks,
    registration_cancel,
    registration_confirm,
    registration_create,
    registrations_cancel,
)

__all__ = [
    "bot_account_link", "bot_account_unlink", "bot_chat_learn", "bot_code_make", "event_advance",
    "event_create", "event_drop", "event_end", "event_extend_round", "event_move", "event_pause",
    "event_resume", "events_recur", "had_date", "have_met", "join_mark", "matches_of_event", "partners_of",
    "pauses_end", "people_met", "person_leaves", "places_set", "profile_lacks", "reaction_record",
    "ready_mark", "registration_cancel", "registration_confirm", "registration_create",
    "registrations_cancel", "seat_now",
]  # fmt: skip
