"""The history by months: their tables, made ahead, and the end of those that are too old."""
