"""Hold one adapter per broker behind app.domain.ports."""
