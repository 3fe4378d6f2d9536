"""Tests against real PostgreSQL, Valkey and processes."""
