"""The steps of an evening's life, and the states that the outside knows it by."""

from typing import Final

from django.db.models import IntegerChoices, TextChoices


class State(IntegerChoices):
    """The states that the outside knows (SPEC.md 5.2)."""

    NOT_STARTED = 0, "Not started"
    REG_CONFIRM = 1, "Confirming registrations"
    READY = 2, "Ready"
    RUNNING = 3, "Running"
    FINISHED = 4, "Finished"
    SKIPPED = 5, "Skipped"


class Step(TextChoices):
    """Where exactly an event is. Each step but the last two has a deadline, at which the next begins."""

    OPEN = "open", "Open for registration"
    CONFIRMING = "confirming", "Asking for confirmation"
    CLOSED = "closed", "Groups are made"
    READY_CHECK = "ready_check", "Asking who is ready"
    ROUND = "round", "In a round"
    BREAK = "break", "In a break"
    FINISHED = "finished", "Finished"
    SKIPPED = "skipped", "Skipped"


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
