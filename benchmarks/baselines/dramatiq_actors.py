"""Baselines `dramatiq` and `dramatiq-alert`: a message per person or per alert, posted with requests."""

import os
import threading

import dramatiq
import requests
from dramatiq.brokers.redis import RedisBroker

TIMEOUT_S = 10

broker = RedisBroker(url=os.environ["BENCHMARK_REDIS_URL"])
dramatiq.set_broker(broker)
_of_thread = threading.local()


def _session() -> requests.Session:
    """The thread's own session, so that its connection is kept alive."""
    if not hasattr(_of_thread, "session"):
        _of_thread.session = requests.Session()
        # Looking for proxies and .netrc at every request costs a tenth of it.
        _of_thread.session.trust_env = False
    made: requests.Session = _of_thread.session
    return made


@dramatiq.actor(max_retries=2)
def deliver(address: str, body: str) -> None:
    response = _session().post(
        address,
        data=body.encode(),
        headers={"Content-Type": "application/json"},
        timeout=TIMEOUT_S,
        allow_redirects=False,
    )
    response.raise_for_status()


@dramatiq.actor(max_retries=2)
def tell(addresses: list[str], body: str) -> None:
    for address in addresses:
        deliver.fn(address, body)
