"""Variants side by side as one page: numbers, charts, and the cases where they differ."""
