"""Measure against the budgets; `make help` lists the benchmarks."""
