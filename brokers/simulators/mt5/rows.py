"""Write records as the module's structures show them: floats for prices, volumes and money, server time."""

from fractions import Fraction

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.accounts import MODES, Account
from brokers.simulators.mt5.book import Book
from brokers.simulators.mt5.executions import market_price
from brokers.simulators.mt5.market import Quote
from brokers.simulators.mt5.minutes import POINTS_PER_UNIT
from brokers.simulators.mt5.records import PENDING_TYPES, Deal, Order, Position, opposite
from brokers.simulators.mt5.server_time import ServerTime
from brokers.simulators.mt5.symbols import CONTRACT_SIZE, POINT_DIGITS, Symbol

Row = dict[str, object]
POINT = 1 / POINTS_PER_UNIT
_EMPTY_TEXTS = "basis category bank exchange formula isin page"
_EMPTY_WHOLE = (
    "chart_mode session_deals session_buy_orders session_sell_orders volume volumehigh volumelow "
    "ticks_bookdepth start_time expiration_time order_gtc_mode option_mode option_right"
)
_EMPTY_REAL = (
    "bidhigh bidlow askhigh asklow last lasthigh lastlow volume_real volumehigh_real volumelow_real "
    "option_strike trade_accrued_interest trade_face_value trade_liquidity_rate swap_long swap_short "
    "margin_initial margin_maintenance session_volume session_turnover session_interest "
    "session_buy_orders_volume session_sell_orders_volume session_open session_close session_aw "
    "session_price_settlement session_price_limit_min session_price_limit_max margin_hedged "
    "price_change price_volatility price_theoretical price_greeks_delta price_greeks_theta "
    "price_greeks_gamma price_greeks_vega price_greeks_rho price_greeks_omega price_sensitivity"
)
_EMPTY_SYMBOL: Row = {
    "custom": False,
    "margin_hedged_use_leg": False,
    **dict.fromkeys(_EMPTY_TEXTS.split(), ""),
    **dict.fromkeys(_EMPTY_WHOLE.split(), 0),
    **dict.fromkeys(_EMPTY_REAL.split(), 0.0),
}


def units(points: int | Fraction) -> float:
    """Return a price as the module gives it."""
    return float(points / Fraction(POINTS_PER_UNIT))


def lots(volume: int) -> float:
    """Return a volume in lots."""
    return volume / 100


def dollars(cents: int) -> float:
    """Return money in dollars."""
    return cents / 100


def tick_row(quote: Quote, time: ServerTime) -> Row:
    """Return a Tick."""
    at = time.seconds(quote.at)
    return {
        "time": at,
        "bid": units(quote.bid),
        "ask": units(quote.ask),
        "last": 0.0,
        "volume": 0,
        "time_msc": at * 1000,
        "flags": mt5.TICK_FLAG_BID | mt5.TICK_FLAG_ASK,
        "volume_real": 0.0,
    }


def order_row(order: Order, quote: Quote, time: ServerTime) -> Row:
    """Return a TradeOrder."""
    working = order.done_ms == 0
    shown_id = 0 if working and order.type in PENDING_TYPES else order.position_id
    setup, done = time.millis(order.setup_ms), time.millis(order.done_ms)
    return {
        "ticket": order.ticket,
        "time_setup": setup // 1000,
        "time_setup_msc": setup,
        "time_done": done // 1000,
        "time_done_msc": done,
        "time_expiration": time.seconds(order.expires_ms // 1000),
        "type": order.type,
        "type_time": order.time_type,
        "type_filling": order.filling,
        "state": order.state,
        "magic": order.magic,
        "position_id": shown_id,
        "position_by_id": order.position_by_id,
        "reason": order.reason,
        "volume_initial": lots(order.volume),
        "volume_current": lots(order.left),
        "price_open": units(order.price),
        "sl": units(order.sl),
        "tp": units(order.tp),
        "price_current": units(market_price(order.side, quote)),
        "price_stoplimit": units(order.stoplimit),
        "symbol": order.symbol,
        "comment": order.comment,
        "external_id": "",
    }


def position_row(position: Position, quote: Quote, time: ServerTime) -> Row:
    """Return a TradePosition."""
    opened, updated = time.millis(position.opened_ms), time.millis(position.updated_ms)
    return {
        "ticket": position.ticket,
        "time": opened // 1000,
        "time_msc": opened,
        "time_update": updated // 1000,
        "time_update_msc": updated,
        "type": position.side,
        "magic": position.magic,
        "identifier": position.identifier,
        "reason": position.reason,
        "volume": lots(position.volume),
        "price_open": units(position.price),
        "sl": units(position.sl),
        "tp": units(position.tp),
        "price_current": units(market_price(opposite(position.side), quote)),
        "swap": 0.0,
        "profit": dollars(position.profit(quote.bid, quote.ask)),
        "symbol": position.symbol,
        "comment": position.comment,
        "external_id": "",
    }


def deal_row(deal: Deal, time: ServerTime) -> Row:
    """Return a TradeDeal."""
    at = time.millis(deal.at_ms)
    return {
        "ticket": deal.ticket,
        "order": deal.order,
        "time": at // 1000,
        "time_msc": at,
        "type": deal.type,
        "entry": deal.entry,
        "magic": deal.magic,
        "position_id": deal.position_id,
        "reason": deal.reason,
        "volume": lots(deal.volume),
        "price": units(deal.price),
        "commission": dollars(deal.commission),
        "swap": dollars(deal.swap),
        "profit": dollars(deal.profit),
        "fee": 0.0,
        "symbol": deal.symbol,
        "comment": deal.comment,
        "external_id": "",
    }


def account_row(book: Book, quote: Quote) -> Row:
    """Return an AccountInfo."""
    account = book.account
    return (
        _account_terms(account)
        | money_row(book, quote)
        | {
            "name": account.name,
            "server": account.server,
            "currency": "USD",
            "company": "Openbell Simulated Brokers",
        }
    )


def money_row(book: Book, quote: Quote) -> Row:
    """Return the money part of an account."""
    margin, equity = book.margin(), book.equity(quote)
    return {
        "balance": dollars(book.balance),
        "credit": 0.0,
        "profit": dollars(book.floating(quote)),
        "equity": dollars(equity),
        "margin": dollars(margin),
        "margin_free": dollars(equity - margin),
        "margin_level": round(equity * 100 / margin, 2) if margin else 0.0,
    }


def _account_terms(account: Account) -> Row:
    return {
        "login": account.login,
        "trade_mode": mt5.ACCOUNT_TRADE_MODE_DEMO,
        "leverage": account.leverage,
        "limit_orders": account.limit_orders,
        "margin_so_mode": mt5.ACCOUNT_STOPOUT_MODE_PERCENT,
        "trade_allowed": account.trade_allowed,
        "trade_expert": account.trade_expert,
        "margin_mode": MODES[account.mode],
        "currency_digits": 2,
        "fifo_close": False,
        "margin_so_call": 100.0,
        "margin_so_so": 50.0,
        "margin_initial": 0.0,
        "margin_maintenance": 0.0,
        "assets": 0.0,
        "liabilities": 0.0,
        "commission_blocked": 0.0,
    }


def symbol_row(symbol: Symbol, quote: Quote, time: ServerTime) -> Row:
    """Return a SymbolInfo; what forex has no use for is empty."""
    return _EMPTY_SYMBOL | {
        "visible": True,
        "select": True,
        "time": time.seconds(quote.at),
        "digits": POINT_DIGITS,
        "spread": quote.ask - quote.bid,
        "spread_float": True,
        "trade_mode": symbol.trade_mode,
        "trade_calc_mode": mt5.SYMBOL_CALC_MODE_FOREX,
        "trade_stops_level": symbol.stops_level,
        "trade_freeze_level": symbol.freeze_level,
        "trade_exemode": symbol.execution,
        "swap_mode": mt5.SYMBOL_SWAP_MODE_DISABLED,
        "swap_rollover3days": mt5.DAY_OF_WEEK_WEDNESDAY,
        "expiration_mode": 15,
        "filling_mode": symbol.filling_mode,
        "order_mode": 127,
        "bid": units(quote.bid),
        "ask": units(quote.ask),
        "point": POINT,
        "trade_tick_value": 1.0,
        "trade_tick_value_profit": 1.0,
        "trade_tick_value_loss": 1.0,
        "trade_tick_size": POINT,
        "trade_contract_size": float(CONTRACT_SIZE),
        "volume_min": lots(symbol.volume_min),
        "volume_max": lots(symbol.volume_max),
        "volume_step": lots(symbol.volume_step),
        "volume_limit": lots(symbol.volume_limit),
        "currency_base": "EUR",
        "currency_profit": "USD",
        "currency_margin": "EUR",
        "description": symbol.description,
        "name": symbol.name,
        "path": f"Forex\\{symbol.name}",
    }
