"""Months of history as files that can be checked: written, verified and read. See docs/adr/0027."""
