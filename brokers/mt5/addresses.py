"""Tell addresses of this machine from those of others."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether an address never leaves this machine; names other than localhost may lead anywhere."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
