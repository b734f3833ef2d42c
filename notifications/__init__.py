"""The delivery engine, its channels, and the alerts, preferences and contact points that feed it."""
