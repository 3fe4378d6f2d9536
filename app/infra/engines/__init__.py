"""Run PostgreSQL and Valkey from their wheels, so that a clean machine needs nothing installed."""
