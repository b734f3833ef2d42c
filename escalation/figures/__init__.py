"""How soon alerts and escalations are acknowledged and over, by policy, source and hour; and who is noisy."""
