"""Real processes for the flow tests, and chance that can be repeated."""

import os
import random
from collections.abc import Iterator

import pytest

from tests import templates
from tests.flows.product import Product


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product at work: started once, since every test has a shop and alerts of its own.

    Ends with an audit of all that they did.
    """
    home = tmp_path_factory.mktemp("flows")
    templates.furnish(home)
    with Product(home, migrate=False) as running:
        yield running
        running.settle()
        running.audit()


@pytest.fixture
def chance() -> random.Random:
    """What decides when and whom to kill; repeat a failure with FLOW_SEED."""
    seed = int(os.environ.get("FLOW_SEED") or random.randrange(2**32))
    print(f"FLOW_SEED={seed}")
    return random.Random(seed)
