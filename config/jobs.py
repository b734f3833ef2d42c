"""The jobs that workers run: those of these modules, and nothing else that lies in Redis."""

from collections.abc import Callable
from typing import Any

from django_rq.queues import DjangoRQ
from rq.job import Job as StockJob

from config import retention  # noqa: F401  (it and the modules below make their jobs known)
from dating import jobs as dating_jobs  # noqa: F401
from escalation import jobs as escalation_jobs  # noqa: F401
from notifications import jobs, queue  # noqa: F401
from tracing import jobs as tracing_jobs  # noqa: F401


class JobRefused(Exception):
    """No job of this version has this name."""


class Job(StockJob):
    """RQ's job as mere data: the name of a known job, and arguments in JSON.

    RQ imports and calls whatever a job in Redis names, as its function or a callback, and posts to whatever
    address it has.
    """

    success_callback = failure_callback = stopped_callback = None

    @property
    def func(self) -> Callable[..., None]:
        job = queue.named(self.func_name) if self.instance is None else None
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
