"""What services refuse with, besides Django's ValidationError."""


class Conflict(Exception):
    """The request contradicts what is already there; its text says how."""
