"""What services refuse with, besides Django's ValidationError; the API answers each with its own code."""


class Conflict(Exception):
    """The request contradicts what is already there; its text says how."""
