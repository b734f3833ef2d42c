"""Speed-dating evenings that run themselves."""
