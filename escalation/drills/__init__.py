"""Test escalations by a schedule: who is rung, who answers, and the report."""
