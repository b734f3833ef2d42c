"""Contact tracing: who was near, when, and by which path."""
