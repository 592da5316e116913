"""Measures the worker against what it could be at best, in one run on the same work. `make bench` runs it."""
