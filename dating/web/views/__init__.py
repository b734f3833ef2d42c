"""What the routes lead to."""
