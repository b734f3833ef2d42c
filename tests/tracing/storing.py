"""Storing records that tests have made up, without the checks that uploads go through."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from tracing.intake import Records, Stored, interactions_store
from tracing.reference import Record


def records_of(records: Sequence[Record]) -> Records:
    columns = (
        [record.my_id for record in records],
        [record.other_id for record in records],
        [record.start for record in records],
        [record.end - record.start for record in records],
        [round(record.distance * 100) for record in records],
    )
    return Records(*(np.array(column, dtype=np.int64) for column in columns))


def store(records: Sequence[Record]) -> Stored:
    return interactions_store(records_of(records), now=datetime.now(UTC))
