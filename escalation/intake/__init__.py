"""Intake: what other systems report, in the formats that they already send."""
