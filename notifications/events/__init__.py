"""The outbox: what has happened, who handles it, and what came of that. See docs/events.md."""
