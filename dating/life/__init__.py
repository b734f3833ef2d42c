"""What an event's life consists of: pure functions that take the time."""
