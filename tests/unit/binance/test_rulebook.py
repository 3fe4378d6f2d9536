"""The day's rules are read once for all accounts, and again when the venue contradicts them."""

from brokers.binance.instruments import SPOT_SEGMENT, parse_exchange
from brokers.binance.rulebook import RuleBook
from brokers.binance.spot import SPOT_LIMITS
from tests.unit.binance.payloads import SPOT_SYMBOL, HandClock, exchange

EXCHANGE = parse_exchange(exchange(SPOT_SYMBOL), segment=SPOT_SEGMENT, fallback=SPOT_LIMITS)


def test_one_caller_refreshes_and_the_others_go_on() -> None:
    clock = HandClock()
    book = RuleBook(clock)

    assert book.rules("BTCUSDT") is None
    assert book.claim_refresh()
    assert not book.claim_refresh()
    book.use(EXCHANGE)
    assert book.rules("BTCUSDT") == EXCHANGE.rules["BTCUSDT"]
    clock.seconds += 3599
    assert not book.claim_refresh()
    clock.seconds += 1
    assert book.claim_refresh()


def test_rules_in_doubt_are_not_used_and_read_again() -> None:
    clock = HandClock()
    book = RuleBook(clock)
    book.use(EXCHANGE)

    book.doubt()

    assert book.rules("BTCUSDT") is None
    assert book.claim_refresh()
