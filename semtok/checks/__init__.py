"""The gates: one Great Expectations suite a stage."""
