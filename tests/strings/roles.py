"""Everybody who may ask. What each scope of a key is for, the tests of the table of rights say."""

import pytest

Headers = dict[str, str]
every_role = pytest.mark.parametrize(
    "role", ["nobody", "a stranger", "the owner", "staff", "an administrator", "a superuser", "a machine"]
)
