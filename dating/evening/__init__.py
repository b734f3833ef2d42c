"""What an evening consists of: its steps and their times, who is there, and what it came to.

Pure functions that take the time.
"""
