"""Run a whole trading day against simulators, compressed in time, and prove how it ended."""
