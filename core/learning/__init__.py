"""Learning: honest splits, training that survives anything, numbers with their doubt, and whole models."""
