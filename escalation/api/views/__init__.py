"""What the endpoints do."""
