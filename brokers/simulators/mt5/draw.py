"""Draw seeded numbers from names, so that a draw never depends on the order of arrival."""

import hashlib
import math
from statistics import NormalDist

_SPAN = float(1 << 64)


def fraction(*names: object) -> float:
    """Return a number in (0, 1) that depends on the names alone."""
    text = "|".join(map(str, names)).encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / _SPAN


def lognormal(median: float, p99: float, *names: object) -> float:
    """Return a lognormal draw in the unit of the median, given its median and its 99th percentile."""
    sigma = math.log(p99 / median) / NormalDist().inv_cdf(0.99)
    z = NormalDist().inv_cdf(min(max(fraction(*names), 1e-9), 1 - 1e-9))
    return median * math.exp(sigma * z)
