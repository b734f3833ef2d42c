"""What changes things in tracing."""
