"""Erasing whoever deleted their account from what stays: history, events, logs (docs/adr/0037)."""
