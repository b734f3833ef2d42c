"""Taking in records: read in one of three formats, checked as columns, and copied into the partitions."""

from tracing.intake.bounds import NotReadable, TooLarge, TooMany
from tracing.intake.checking import BadRecords, records_checked
from tracing.intake.formats import Columns, columns_of
from tracing.intake.readers import Busy, TooHeavy
from tracing.intake.reading import records_read
from tracing.intake.records import Records
from tracing.intake.storing import Stored, interactions_store

__all__ = [
    "BadRecords", "Busy", "Columns", "NotReadable", "Records", "Stored", "TooHeavy", "TooLarge", "TooMany",
    "columns_of", "interactions_store", "records_checked", "records_read",
]  # fmt: skip
