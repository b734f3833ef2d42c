"""Everybody who may ask: people by their rank, and machines, with a key for all or for a single scope."""

import pytest

from accounts.models import Scope

Headers = dict[str, str]
ROLES = ("nobody", "a stranger", "the owner", "staff", "an administrator", "a superuser", "a machine")
every_role = pytest.mark.parametrize("role", ROLES)
every_role_and_scope = pytest.mark.parametrize("role", [*ROLES, *Scope.values])
