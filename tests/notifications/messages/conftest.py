"""Texts of a test's own, and overrides that no other test leaves behind."""

from collections.abc import Callable, Iterator

import pytest

from notifications.messages import overrides
from notifications.messages.compiled import Compiled, Text
from tests.notifications.channels.conftest import mail_server  # noqa: F401
from tests.notifications.engine.conftest import make_deliveries, sender, third_party  # noqa: F401

Texts = dict[tuple[str, str], Compiled]


@pytest.fixture(autouse=True)
def _no_overrides_known() -> Iterator[None]:
    """Overrides are known for seconds; those of the last test are not in the database any more."""
    overrides.forget()
    yield
    overrides.forget()


@pytest.fixture
def texts() -> Callable[..., Texts]:
    """Compile texts: ``texts({("en", ""): ("title", "body")})``."""

    def build(
        sources: dict[tuple[str, str], tuple[str, str]], *, kind: str = "k", origin: str = "file"
    ) -> Texts:
        return {key: Compiled(kind, *key, origin, Text(*source)) for key, source in sources.items()}

    return build
