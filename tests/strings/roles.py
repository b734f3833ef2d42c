"""Everybody who may ask: by what they are, and machines by what their key is for."""

import pytest

from accounts.models import Scope

Headers = dict[str, str]
every_role = pytest.mark.parametrize(
    "role", ["nobody", "a stranger", "the owner", "staff", "an administrator", "a superuser", *Scope.values]
)
