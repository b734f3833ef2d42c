"""The console: what happens now, for the staff."""
