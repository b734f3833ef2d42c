"""Reads settings from the environment."""

from typing import Any

import environ


class Environment(environ.Env):
    """django-environ's, whose lists may have blanks around their commas, as people write them."""

    def list(self, var: str, **options: Any) -> Any:
        return [each.strip() for each in super().list(var, **options) if each.strip()]
