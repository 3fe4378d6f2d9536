"""Set how properties are searched: how fast the machine is decides nothing."""

from hypothesis import HealthCheck, settings

settings.register_profile("openbell", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("openbell")
