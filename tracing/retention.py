"""How what is known of devices and their contacts ends."""

from typing import Final

from config.ends import Ends
from tracing.models import (
    Case,
    CaseReading,
    CaseSearch,
    Device,
    DeviceContact,
    Exposure,
    Filter,
    FilterVersion,
    Intake,
    Interaction,
    PackedDay,
    StatusMark,
)
from tracing.services.retention import (
    cases_close,
    cases_expire,
    intakes_expire,
    mark_notices_expire,
    marks_expire,
    readings_expire,
)

_WITH_ITS_DAY: Final = "With the partition of its day, which is dropped after {days}"

ENDS: Final = (
    *(Ends(records, _WITH_ITS_DAY, setting="TRACING_RETENTION_DAYS") for records in (Interaction, PackedDay)),
    Ends(
        Intake, "{days} and one after it came: its records are gone by then", setting="TRACING_RETENTION_DAYS"
    ),
    Ends(Case, "{days} after it was closed", setting="TRACING_CASE_DAYS"),
    Ends(CaseSearch, parent=Case),
    Ends(Exposure, parent=Case),
    Ends(
        StatusMark,
        "`TRACING_CASE_OPEN_DAYS` and {days} after it was made: the case is gone by then",
        setting="TRACING_CASE_DAYS",
    ),
    Ends(CaseReading, "{days} after somebody looked", setting="TRACING_READING_DAYS"),
    Ends(Device, "When the device is deleted"),
    Ends(DeviceContact, parent=Device),
    Ends(Filter, "When the filter is deleted"),
    Ends(FilterVersion, "When the filter is deleted: cases are explained by it"),
)

STEPS: Final = (
    cases_close, cases_expire, mark_notices_expire, marks_expire, readings_expire, intakes_expire,
)  # fmt: skip
