"""Timelines, notes and figures."""
