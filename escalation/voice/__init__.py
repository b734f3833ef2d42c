"""Phone calls of escalations: what they say, the key that acknowledges, and hanging up what rings in vain."""
