"""Jobs that report again and again, by Healthchecks' ping addresses; told of once they don't."""
