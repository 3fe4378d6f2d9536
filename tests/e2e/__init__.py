"""Run whole trading days with real processes, and break them."""
