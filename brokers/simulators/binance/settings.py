"""Hold what nobody has seen on the real wire yet, so that each guess can be turned round."""

from dataclasses import asdict, dataclass, fields


@dataclass(slots=True, kw_only=True)
class Settings:
    """What the reference marks as unverified; `POST /_sim/settings` changes any of it at run time.

    server_clock: `machine` or `market`, the clock of /time, of recvWindow and of limits' stamps. The market's
    clock jumps and stands still, so only `machine` suits a client that measures its offset once.
    """

    server_clock: str = "machine"
    spot_client_id_pattern: str = r"^[a-zA-Z0-9-_]{1,36}$"
    futures_client_id_pattern: str = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
    algo_client_id_follows: bool = True  # the order that a triggered algo order makes has its client id
    futures_503_text: str = "Unknown error, please check your request or try again later."
    engine_timeout_text: str = (
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
    )
    engine_timeout_status: int = 503  # HTTP status of -1007
    engine_bound_s: int = 10  # how long after its recvWindow a request may still reach the book
    overloaded_status: int = 503  # HTTP status of -1008
    ws_api_messages_per_second: int = 50
    stream_messages_per_second: int = 5
    listen_key_minutes: int = 60
    close_position_orders_expire: bool = True  # when the position they would close is gone
    ban_after: int = 5  # calls that ignore a 429 until the address is banned
    ban_s: int = 120
    weight_1m_spot: int = 6000
    weight_1m_futures: int = 2400
    orders_10s_spot: int = 50
    orders_1d_spot: int = 160_000
    orders_10s_futures: int = 300
    orders_1m_futures: int = 1200

    def change(self, raw: dict[str, object]) -> None:
        """Change the named settings.

        Raises: ValueError for an unknown name or a value of another type.
        """
        known = {item.name for item in fields(self)}
        for name, value in raw.items():
            if name not in known:
                raise ValueError(f"unknown setting {name!r}; known are {sorted(known)}")
            if type(value) is not type(getattr(self, name)):
                raise ValueError(
                    f"setting {name} expects a {type(getattr(self, name)).__name__}, got {value!r}"
                )
            setattr(self, name, value)

    def shown(self) -> dict[str, object]:
        """Return all of them."""
        return asdict(self)
