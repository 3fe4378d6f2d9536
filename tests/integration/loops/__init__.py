"""Run shard hosts on real Valkey and PostgreSQL."""
