"""Acknowledging by the link in a message, without logging in."""
