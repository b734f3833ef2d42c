"""What is done about events. Each module here is found by itself; see notifications.events.registry."""
