"""A person's inbox: what they see and change, and the stream that shows it while it changes."""
