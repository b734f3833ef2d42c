"""Baseline `rq-per-user`: the jobs, one per person as the original had them, and a job that does nothing."""

import requests
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

QUEUE = "per-user"
TIMEOUT_S = 10


@retry(
    retry=retry_if_exception_type(requests.ConnectionError),
    stop=stop_after_attempt(3),
    wait=wait_fixed(3),
    reraise=True,
)
def deliver(address: str, body: str) -> None:
    # No session: each job has a process of its own, so no connection could be kept.
    response = requests.post(
        address,
        data=body.encode(),
        headers={"Content-Type": "application/json"},
        timeout=TIMEOUT_S,
        allow_redirects=False,
    )
    response.raise_for_status()


def nothing() -> None:
    """What a queue costs by itself."""
