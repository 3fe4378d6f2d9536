"""Wrap services as Celery tasks."""
