"""What changes escalations; for views, jobs and the voice of calls."""

from escalation.services.processes import (
    Started,
    process_acknowledge,
    process_resume,
    process_start,
    process_stop,
)

__all__ = ["Started", "process_acknowledge", "process_resume", "process_start", "process_stop"]
