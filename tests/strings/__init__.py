"""Whatever is typed stays text, wherever it comes out again."""
