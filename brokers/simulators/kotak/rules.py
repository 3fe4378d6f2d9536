"""Check an order as broker and exchange would; every text says why the order was refused."""

from brokers.simulators.kotak.contracts import FREEZE_QTY, LOT_SIZE
from brokers.simulators.kotak.minutes import TICK
from brokers.simulators.kotak.orders import Terms

LPP_FRACTION = 0.40  # above 50 rupees
LPP_FLOOR = 2000  # paise, at or below 50 rupees
_LPP_KNEE = 5000
# Kotak's market price protection for options: below this LTP (paise), that fraction of it.
_MPP_GRID = ((500, 0.10), (1000, 0.05), (10_000, 0.03), (50_000, 0.02))
_MPP_TOP = 0.01
_MPP_PENNY = (100, 10)  # below one rupee: ten paise


def protection(ltp: int) -> int:
    """Return how far from the last price a market order may go, paise.

    Source: Kotak's grid as quoted in the markets reference, section 1.4.
    """
    if ltp < _MPP_PENNY[0]:
        return _MPP_PENNY[1]
    fraction = next((share for bound, share in _MPP_GRID if ltp < bound), _MPP_TOP)
    return round(ltp * fraction)


def protected_limit(side: str, ltp: int) -> int:
    """Return the limit price that a market order becomes, on the tick, paise."""
    band = protection(ltp)
    if side == "B":
        return (ltp + band) // TICK * TICK
    return max(TICK, -(-(ltp - band) // TICK) * TICK)


def outside_band(price: int, reference: int) -> bool:
    """Return whether limit price protection refuses the price: 40 %, or 20 rupees at or below 50."""
    band = LPP_FRACTION * reference if reference > _LPP_KNEE else LPP_FLOOR
    return abs(price - reference) > band


def refuse_terms(terms: Terms) -> str | None:
    """Return the reason why the broker's front refuses the terms at once, None if it takes them."""
    if terms.qty <= 0:
        return "please provide valid quantity"
    if terms.kind in {"L", "SL"} and terms.price <= 0:
        return "please provide valid price"
    if terms.kind in {"SL", "SL-M"} and terms.trigger <= 0:
        return "please provide valid trigger price"
    return None


def reject_terms(terms: Terms, side: str, ltp: int | None) -> str | None:  # noqa: PLR0911 # one per rule
    """Return the rejection that shows up later in the book, None if the exchange takes the order."""
    if terms.kind == "SL-M":
        return "RMS:Market order with Algo Id not allowed"
    if terms.qty % LOT_SIZE:
        return f"RMS:Quantity {terms.qty} is not a multiple of the lot size {LOT_SIZE}"
    if terms.qty > FREEZE_QTY:
        return f"RMS:Quantity {terms.qty} exceeds the freeze quantity {FREEZE_QTY}"
    if terms.price % TICK or terms.trigger % TICK:
        return "RMS:Price is not a multiple of the tick size 0.05"
    if ltp is None:
        return "RMS:No LTP to protect a market order" if terms.kind == "MKT" else None
    if terms.kind != "MKT" and outside_band(terms.price, ltp):
        return "RMS:Rule: Check circuit limit including square off order exceeds"
    if terms.kind == "SL" and not _stop_is_ahead(terms, side, ltp):
        return "RMS:Trigger price is on the wrong side of the last traded price"
    return None


def _stop_is_ahead(terms: Terms, side: str, ltp: int) -> bool:
    if side == "B":
        return ltp <= terms.trigger <= terms.price
    return ltp >= terms.trigger >= terms.price
