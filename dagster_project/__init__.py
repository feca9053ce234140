"""Dagster's view of the pipeline: lineage, schedules, checks; no algorithm."""
