"""The admin's pages are registered for whoever needs them, and for nobody else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
COUNTS = """
import django
django.setup(set_prefix=False)
from django.contrib import admin
from django.core.checks import run_checks
print(len(admin.site._registry))
assert not run_checks(tags=["admin"])
print(len(admin.site._registry))
"""


@pytest.mark.slow
def test_a_process_starts_without_the_admin_and_the_checks_look_at_all_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNTS],
        cwd=REPOSITORY,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    at_first, checked = map(int, done.stdout.split())
    assert at_first == 0
    assert checked > 20
