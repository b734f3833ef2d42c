"""The routes of dating below /api/v1/."""

from config.rest.api import slash_optional
from dating.api.views.bot import BotAccountView, BotCodeView
from dating.api.views.evening import EveningView, JoinView, ProfileView, ReactionsView, ReadyView
from dating.api.views.events import EventsView, EventView
from dating.api.views.organiser import DropView, EndView, ExtendView, PauseView, ResumeView, RunSheetView
from dating.api.views.registrations import (
    CancelAllView,
    CancelView,
    ConfirmView,
    RegisterView,
    RegistrationsView,
)

_EVENT = "dating/events/<uuid:event_id>"

urlpatterns = [
    *slash_optional("dating/events", EventsView.as_view(), name="dating-events"),
    # The original's way to say all.
    *slash_optional("dating/events/0/cancel", CancelAllView.as_view(schema=None)),
    *slash_optional(_EVENT, EventView.as_view(), name="dating-event"),
    *slash_optional(f"{_EVENT}/register", RegisterView.as_view(), name="dating-register"),
    *slash_optional(f"{_EVENT}/confirm", ConfirmView.as_view(), name="dating-confirm"),
    *slash_optional(f"{_EVENT}/cancel", CancelView.as_view(), name="dating-cancel"),
    *slash_optional(f"{_EVENT}/evening", EveningView.as_view(), name="dating-evening"),
    *slash_optional(f"{_EVENT}/ready", ReadyView.as_view(), name="dating-ready"),
    *slash_optional(f"{_EVENT}/join", JoinView.as_view(), name="dating-join"),
    *slash_optional(f"{_EVENT}/reactions", ReactionsView.as_view(), name="dating-reactions"),
    *slash_optional(f"{_EVENT}/run-sheet", RunSheetView.as_view(), name="dating-run-sheet"),
    *slash_optional(f"{_EVENT}/pause", PauseView.as_view(), name="dating-pause"),
    *slash_optional(f"{_EVENT}/resume", ResumeView.as_view(), name="dating-resume"),
    *slash_optional(f"{_EVENT}/extend", ExtendView.as_view(), name="dating-extend"),
    *slash_optional(f"{_EVENT}/drop", DropView.as_view(), name="dating-drop"),
    *slash_optional(f"{_EVENT}/end", EndView.as_view(), name="dating-end"),
    *slash_optional("dating/registrations/cancel", CancelAllView.as_view(), name="dating-cancel-all"),
    *slash_optional("dating/registrations", RegistrationsView.as_view(), name="dating-registrations"),
    *slash_optional("dating/bot-accounts/<int:number>", BotAccountView.as_view(), name="dating-bot-account"),
    *slash_optional("dating/bot-code", BotCodeView.as_view(), name="dating-bot-code"),
    *slash_optional("dating/profile", ProfileView.as_view(), name="dating-profile"),
]
