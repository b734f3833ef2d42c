"""What tracing keeps: devices, what they saw of each other, cases and whom they exposed."""

from tracing.models.case import Case, CaseReading, CaseSearch, StatusMark
from tracing.models.device import Device
from tracing.models.exposure import DeviceContact, Exposure
from tracing.models.filter import Criteria, Filter, FilterVersion
from tracing.models.interaction import Intake, Interaction, PackedDay

__all__ = [
    "Case", "CaseReading", "CaseSearch", "Criteria", "Device", "DeviceContact", "Exposure", "Filter",
    "FilterVersion", "Intake", "Interaction", "PackedDay", "StatusMark",
]  # fmt: skip
