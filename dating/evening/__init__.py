"""What an evening consists of, in pure functions: its times, who is there, and what it came to."""
