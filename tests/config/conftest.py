"""The real application on the real server, as it runs in production."""

from collections.abc import Iterator

import pytest

from config.asgi import application
from tests.servers.web import served


@pytest.fixture
def port(transactional_db: None) -> Iterator[int]:
    """Serve in a thread; yields the port."""
    with served(application) as port:
        yield port
