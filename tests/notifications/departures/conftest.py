"""Somebody who is going to leave."""

import pytest

from accounts.models import User
from tests.leaving import register


@pytest.fixture
def leaver(db: None) -> User:
    return register()
