"""Run the feed on real Valkey and PostgreSQL with a scripted venue."""
