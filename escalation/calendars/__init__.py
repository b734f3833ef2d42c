"""External calendars: fetched, read apart from everything else, and laid into schedules as layers."""
