"""What a policy says, and what it comes to."""
