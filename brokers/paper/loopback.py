"""Let the paper adapter reach an exchange on this machine, and nothing else in the world (I15)."""

from ipaddress import ip_address

import httpx

from app.domain.errors import ConfigError


def loopback_url(base_url: str | None) -> httpx.URL:
    """Return the address of a paper exchange.

    Names are refused too, "localhost" as well: what they lead to is decided elsewhere.

    Raises:
        ConfigError: it is not http:// with a loopback address and a port.
    """
    expected = "paper: expected the address of a paper exchange, like http://127.0.0.1:8710"
    if base_url is None:
        raise ConfigError(f"{expected}; got none")
    try:
        url = httpx.URL(base_url)
        is_loopback = ip_address(url.host).is_loopback
    except (httpx.InvalidURL, ValueError) as e:
        raise ConfigError(f"{expected}; got {base_url[:80]!r}") from e
    is_bare = not url.userinfo and url.raw_path in (b"", b"/") and not url.fragment
    if not (is_loopback and is_bare and url.scheme == "http" and url.port):
        raise ConfigError(f"{expected}; got {base_url[:80]!r}")
    return url
