"""The admin without what it shows: that is registered once the URLs are loaded, which workers never do."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class AdminConfig(SimpleAdminConfig):
    """Leaves out a third of what it takes to start a worker or the scheduler."""

    default_site = "accounts.admin_site.Site"

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(check_registered, checks.Tags.admin)


def check_registered(
    app_configs: Sequence[AppConfig] | None, **options: Any
) -> Sequence[checks.CheckMessage]:
    """Check what the admin shows, which nobody may have asked for yet."""
    admin.autodiscover()
    found: Sequence[checks.CheckMessage] = check_admin_app(app_configs, **options)
    return found
