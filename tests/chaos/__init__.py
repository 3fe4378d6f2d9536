"""Break a trading day on purpose, by a plan that a seed repeats, and prove what it cost: `make chaos`."""
