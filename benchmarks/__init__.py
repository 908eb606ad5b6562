"""Benchmarks: one file a claim, each measured side by side with a reference in one run. `make bench` runs all."""
