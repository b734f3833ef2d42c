"""Taking in records: read in one of three formats, checked as columns, and copied into the partitions."""

from tracing.intake.checking import BadRecords, records_checked
from tracing.intake.formats import Columns, NotReadable, columns_of
from tracing.intake.records import Records
from tracing.intake.storing import Stored, interactions_store

__all__ = [
    "BadRecords",
    "Columns",
    "NotReadable",
    "Records",
    "Stored",
    "columns_of",
    "interactions_store",
    "records_checked",
]
