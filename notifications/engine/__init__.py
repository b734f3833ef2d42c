"""The hot path: fan-out, claim, send, finalise, sweep. The row is the truth, the queue is a hint."""
