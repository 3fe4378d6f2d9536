"""Check who signed a request and when."""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus, urlencode

from brokers.simulators.binance.accounts import Account
from brokers.simulators.binance.replies import Refused, missing

DEFAULT_WINDOW_MS = 5000
LONGEST_WINDOW_MS = 60_000
_AHEAD_MS = 1000


def check_key(account: Account | None, key: str, source: str, market: str) -> Account:
    """Return the account that may call from this address.

    Raises: Refused -2014 for a key that cannot be one, -2015 for an unknown key, address or permission.
    """
    if not key or not key.replace("-", "").replace("_", "").isalnum():
        raise Refused(-2014, "API-key format invalid.", 401)
    allowed = account is not None and not account.revoked
    if account is not None and allowed:
        allowed = not account.allowed_ips or source in account.allowed_ips
        allowed = allowed and (market == "spot" or account.futures_enabled)
    if account is None or not allowed:
        raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return account


def check_signature(account: Account, signed_texts: list[str], signature: str) -> None:
    """Check an HMAC-SHA256 over one of the texts the client may have signed.

    Raises: Refused -1102 without a signature, -1022 for a wrong one.
    """
    if not signature:
        raise missing("signature")
    for text in signed_texts:
        digest = hmac.new(account.api_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if hmac.compare_digest(digest, signature):
            return
    raise Refused(-1022, "Signature for this request is not valid.")


def signed_texts(raw: str) -> list[str]:
    """Return the total parameters as sent and as decoded: the library signs before it encodes."""
    bare = "&".join(part for part in raw.split("&") if not part.startswith("signature="))
    return [bare, unquote_plus(bare)]


def signed_ws_texts(params: Mapping[str, object]) -> list[str]:
    """Return the sorted parameters of a WebSocket request, encoded and not."""
    items = sorted((name, value) for name, value in params.items() if name != "signature")
    return [urlencode(items), "&".join(f"{name}={value}" for name, value in items)]


def check_time(params: Mapping[str, str], now_ms: int) -> int:
    """Return the last server time, ms, at which the request may still go on.

    Raises: Refused -1102, -1131 for a bad window, -1021 outside it.
    """
    try:
        stamp = int(params.get("timestamp", ""))
        window = int(params.get("recvWindow", str(DEFAULT_WINDOW_MS)).split(".")[0])
    except ValueError as error:
        raise missing("timestamp") from error
    if not 0 < window <= LONGEST_WINDOW_MS:
        raise Refused(-1131, "recvWindow must be less than 60000.")
    if stamp > now_ms + _AHEAD_MS:
        raise Refused(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    check_deadline(stamp + window, now_ms)
    return stamp + window


def check_deadline(deadline_ms: int, now_ms: int) -> None:
    """Check again before a request reaches the matching engine. Raises: Refused -1021."""
    if now_ms > deadline_ms:
        raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")
