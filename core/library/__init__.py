"""The library of music: what came in, what is said of it, and what is ready to learn from."""
