"""The product: rules, use cases and storage; no web, no Celery tasks, no broker SDKs."""
