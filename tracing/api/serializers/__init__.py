"""Tracing as the API takes and shows it."""
