"""The gate of `remote_scores`: that of `outside_scores`."""

from semtok.checks.outside_scores import Settings, suite, summarise

__all__ = ["Settings", "suite", "summarise"]
