"""Durable jobs: rows that a worker process claims, renews, and finishes, however often it is killed."""
