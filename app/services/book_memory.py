"""Remember what of a broker's books the ledger has: a day's books grow and are read again and again."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from app.domain.ids import AccountId
from app.domain.ports import Clock

T = TypeVar("T", bound=Hashable)

_TRUSTED_FOR_S = 60.0


class BookMemory(Generic[T]):
    """Tell news from what was applied before. One thread at a time may read an account.

    It lasts a minute: whatever befell the ledger meanwhile, a read of the whole book mends it then.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[AccountId, set[T]] = {}
        self._since: dict[AccountId, float] = {}

    def news(self, account_id: AccountId, items: Iterable[T]) -> Sequence[T]:
        """Return the items that are not known, in their order."""
        if self._clock.monotonic() - self._since.get(account_id, float("-inf")) > _TRUSTED_FOR_S:
            self.forget(account_id)
        known = self._known[account_id]
        return [item for item in items if item not in known]

    def note(self, account_id: AccountId, items: Iterable[T]) -> None:
        """Note what the ledger has now for good."""
        self._known[account_id].update(items)

    def forget(self, account_id: AccountId) -> None:
        """Take everything for news again."""
        self._known[account_id] = set()
        self._since[account_id] = self._clock.monotonic()
