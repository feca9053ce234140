"""The page of the study: what was run, what earned the gain, where it breaks."""
