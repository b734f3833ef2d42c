"""What is done to alerts, preferences and contact points."""
