"""What the periodic check has to look at: every upload since, also one that was committed late."""

import numpy as np
import psycopg
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing.storing import store
from tests.tracing.test_search import meeting
from tests.tracing.waiting import until_older_transactions_have_ended
from tracing.intake.devices import packed, unpacked
from tracing.search import devices_touched_since, watermark_now


@given(st.sets(st.integers(1, 2**31 - 1), max_size=50))
def test_a_packed_set_of_devices_is_read_as_it_was(devices: set[int]) -> None:
    assert unpacked(packed(np.array(list(devices), dtype=np.int64))).tolist() == sorted(devices)


@pytest.mark.django_db(transaction=True)
def test_only_devices_of_later_uploads_are_touched() -> None:
    store([meeting(1, 2, 0, 100)])
    until_older_transactions_have_ended()
    before = watermark_now()
    assert devices_touched_since(before) == set()
    store([meeting(3, 4, 0, 100), meeting(1, 2, 0, 100)])
    assert devices_touched_since(before) >= {3, 4}
    until_older_transactions_have_ended()
    assert devices_touched_since(watermark_now()) == set()
    store([meeting(3, 4, 0, 100)])  # nothing new in it
    assert devices_touched_since(watermark_now()) == set()


@pytest.mark.django_db(transaction=True)
def test_an_upload_that_began_before_the_search_and_was_committed_after_it_is_seen_by_the_next() -> None:
    with psycopg.connect(**_parameters()) as slow:
        slow.execute(
            "INSERT INTO tracing_intake (xid, received_at, records, stored, devices) "
            "VALUES (pg_current_xact_id()::text::bigint, now(), 1, 1, %s)",
            [packed(np.array([7]))],
        )
        store([meeting(3, 4, 0, 100)])
        searched = watermark_now()
        slow.commit()
    assert 7 in devices_touched_since(searched)


@pytest.mark.django_db(transaction=True)
def test_a_watermark_of_another_database_counts_everything_as_new() -> None:
    store([meeting(3, 4, 0, 100)])
    assert devices_touched_since(watermark_now() + 1_000_000) == {3, 4}


def _parameters() -> dict[str, object]:
    given = connection.get_connection_params()
    return {name: given[name] for name in ("dbname", "user", "host", "port", "password") if given.get(name)}
