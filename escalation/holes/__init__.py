"""Times in which nobody is on call, or somebody whom nothing reaches: found, shown and told."""
