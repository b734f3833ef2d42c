"""The jobs that workers run: those of these modules, and nothing else that lies in Redis."""

from collections.abc import Callable
from typing import Any, Final

from django_rq.queues import DjangoRQ
from rq.job import Job as StockJob

from config import retention  # noqa: F401  (it and the modules below make their jobs known)
from dating import jobs as dating_jobs  # noqa: F401
from escalation import jobs as escalation_jobs  # noqa: F401
from escalation.calendars import jobs as calendars_jobs  # noqa: F401
from escalation.groups import jobs as groups_jobs  # noqa: F401
from notifications import jobs, queue  # noqa: F401
from notifications.departures import jobs as departures_jobs
from notifications.engine import jobs as engine_jobs
from notifications.events import jobs as events_jobs
from tracing import jobs as tracing_jobs  # noqa: F401

#: Jobs by the names under which the version before queued them; for one version.
FORMER: Final[dict[str, Callable[..., None]]] = {
    "notifications.jobs.alert_fan_out": engine_jobs.alert_fan_out,
    "notifications.jobs.broadcasts_fan_out": engine_jobs.broadcasts_fan_out,
    "notifications.jobs.departures_go_on": departures_jobs.departures_go_on,
    "notifications.jobs.digests": engine_jobs.digests,
    "notifications.jobs.event_handle": events_jobs.event_handle,
    "notifications.jobs.events_due": events_jobs.events_due,
}


class JobRefused(Exception):
    """No job of this version has this name."""


class Job(StockJob):
    """RQ's job as mere data, a known job's name and JSON: RQ itself calls whatever a job names."""

    success_callback = failure_callback = stopped_callback = None

    @property
    def func(self) -> Callable[..., None]:
        name = self.func_name
        job = queue.named(name) or FORMER.get(name) if self.instance is None else None
        if job is None:
            raise JobRefused
        return job

    @property
    def args(self) -> tuple[Any, ...]:
        return tuple(super().args)  # JSON has lists alone

    def restore(self, raw_data: dict[bytes, bytes]) -> Any:
        super().restore(raw_data)
        self.webhooks: list[Any] = []


class Queue(DjangoRQ):
    """RQ's queue of such jobs, also where its pages ask for no class of jobs."""

    job_class = Job
