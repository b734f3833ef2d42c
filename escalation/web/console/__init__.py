"""What the console shows of escalations."""
