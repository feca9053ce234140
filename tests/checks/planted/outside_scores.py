from tests.checks.planted import scores

FAULTS = scores.faults("outside_scores@own", seed=0)
