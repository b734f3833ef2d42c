"""What messages say: templates per kind, language and channel, rendered once when a notification is made."""
