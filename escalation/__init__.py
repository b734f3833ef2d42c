"""Escalation: timed notifications that keep ringing until stopped."""
