"""Waiting for transactions of tests beside this one, which a watermark can't look past."""

import time

import pytest
from django.db import connection


def until_older_transactions_have_ended(within_s: float = 100) -> None:
    """What is stored while another transaction is open counts as new; tests beside this one open some."""
    deadline = time.monotonic() + within_s
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())")
        (here,) = cursor.fetchone()
        while time.monotonic() < deadline:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s", [here])
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    pytest.fail("A transaction has been open for too long.")
