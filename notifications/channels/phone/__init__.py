"""Phone calls, through Twilio, and the numbers that they show."""
