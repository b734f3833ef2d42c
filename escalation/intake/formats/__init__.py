"""One module a format: pure functions from a body to occurrences, and the answers that its clients expect."""
