"""The endpoints of alerts, preferences, contact points and deliveries."""
