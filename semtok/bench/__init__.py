"""Scores: one module a benchmark, and how variants are compared."""
