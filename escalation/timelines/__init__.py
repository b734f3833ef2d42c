"""What happened in an escalation or an alert group, from start to end, and what people noted of it."""
