from tests.checks.planted import scores

FAULTS = scores.faults("remote_scores@hub", seed=0)
