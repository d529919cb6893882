"""Load tests: the gate beside bare baselines in the same run."""
