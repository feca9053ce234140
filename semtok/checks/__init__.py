"""Quality gates: one Great Expectations suite a stage, over summaries that polars computes."""

import os

# Versions of Great Expectations that send usage statistics read it once, on import.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
