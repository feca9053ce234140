"""Quality gates: one Great Expectations suite a stage, over summaries that polars computes."""

import os

# Great Expectations reads it once, on import.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
