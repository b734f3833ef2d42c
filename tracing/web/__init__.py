"""Pages for those who may look at cases."""
