"""Users, shops, memberships and API keys."""
