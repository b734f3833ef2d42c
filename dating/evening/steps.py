"""The steps of an evening's life, and the states that the outside knows it by."""

from typing import Final

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy


class State(IntegerChoices):
    """The states that the outside knows (SPEC.md 5.2)."""

    NOT_STARTED = 0, gettext_lazy("Not started")
    REG_CONFIRM = 1, gettext_lazy("Confirming registrations")
    READY = 2, gettext_lazy("Ready")
    RUNNING = 3, gettext_lazy("Running")
    FINISHED = 4, gettext_lazy("Finished")
    SKIPPED = 5, gettext_lazy("Skipped")


class Step(TextChoices):
    """Where exactly an event is. Each step but the last two has a deadline, at which the next begins."""

    OPEN = "open", gettext_lazy("Open for registration")
    CONFIRMING = "confirming", gettext_lazy("Asking for confirmation")
    CLOSED = "closed", gettext_lazy("Groups are made")
    READY_CHECK = "ready_check", gettext_lazy("Asking who is ready")
    ROUND = "round", gettext_lazy("In a round")
    BREAK = "break", gettext_lazy("In a break")
    FINISHED = "finished", gettext_lazy("Finished")
    SKIPPED = "skipped", gettext_lazy("Skipped")


STATE_OF: Final[dict[str, State]] = {
    Step.OPEN: State.NOT_STARTED,
    Step.CONFIRMING: State.REG_CONFIRM,
    Step.CLOSED: State.READY,
    Step.READY_CHECK: State.READY,
    Step.ROUND: State.RUNNING,
    Step.BREAK: State.RUNNING,
    Step.FINISHED: State.FINISHED,
    Step.SKIPPED: State.SKIPPED,
}
OVER: Final = (Step.FINISHED, Step.SKIPPED)
