"""Carry out what moves money: checked, identified, journaled, and then sent once."""

from collections.abc import Sequence

from app.domain.errors import ProtocolError
from brokers.mt5.agent.asked import AskedCancel, AskedWrite
from brokers.mt5.agent.config import AgentConfig
from brokers.mt5.agent.journal import Command, CommandJournal
from brokers.mt5.agent.market import symbol_market
from brokers.mt5.agent.refusals import RefusedError
from brokers.mt5.agent.terminal import Terminal
from brokers.mt5.agent.terminal_thread import SLIPS
from brokers.mt5.agent.trade_requests import (
    AskedChange,
    AskedOrder,
    TradeRequest,
    modify_request,
    remove_request,
    submit_requests,
)
from brokers.mt5.log_lines import LogLines
from brokers.mt5.protocol import LIVE_MODULE, Refusal, Result
from brokers.mt5.retcodes import Retcode
from brokers.mt5.values import Row, whole

Reply = dict[str, object]
_FINE = frozenset({0, Retcode.PLACED, Retcode.DONE})


class Trading:
    """Send trade requests for one account, each command at most once. The terminal thread alone calls it."""

    def __init__(
        self, config: AgentConfig, terminal: Terminal, journal: CommandJournal, log: LogLines
    ) -> None:
        self._log = log
        self._config = config
        self._terminal = terminal
        self._journal = journal

    def write(self, asked: AskedWrite) -> Reply:
        """Carry out one command, or tell how it ended when it was begun before.

        Raises:
            RefusedError: nothing was sent.
        """
        begun = self._journal.find(asked.command_id)
        if begun is not None:
            return _repeated(begun)
        try:
            request = self._request(asked, self._allowed(asked))
            # The terminal may have been swapped while we looked: prove the account again, right before.
            self._terminal.identify()
        except (ProtocolError, *SLIPS) as e:
            message = f"{type(e).__name__}: {e}"[:200]
            raise RefusedError(Refusal.UNREADABLE, message) from e
        return self._send(asked, request)

    def outcome(self, command_id: str) -> Reply:
        """Tell how a command ended. Raises RefusedError when it was never begun: it was not sent."""
        begun = self._journal.find(command_id)
        if begun is None:
            raise RefusedError(Refusal.NOT_FOUND, "the journal knows no such command: it was not sent")
        return _repeated(begun)

    def _allowed(self, asked: AskedWrite) -> Row:
        account, terminal = self._terminal.identify()
        if self._config.module == LIVE_MODULE and not asked.is_live_allowed:
            raise RefusedError(Refusal.LIVE_FORBIDDEN, "this agent trades live, and live was not allowed")
        if terminal.get("connected") is not True:
            raise RefusedError(Refusal.NOT_CONNECTED, "the terminal has no connection to the trade server")
        switches = {
            "the account": account.get("trade_allowed"),
            "algo trading for the account": account.get("trade_expert"),
            "the terminal's algo trading": terminal.get("trade_allowed"),
            "the terminal's Python API": not terminal.get("tradeapi_disabled"),
        }
        off = [name for name, is_on in switches.items() if is_on is not True]
        if off:
            raise RefusedError(Refusal.TRADING_OFF, f"switched off: {', '.join(off)}")
        return account

    def _request(self, asked: AskedWrite, account: Row) -> TradeRequest:
        match asked.what:
            case AskedOrder() as order:
                return self._order_request(order, account)
            case AskedChange() as change:
                return modify_request(change, self._working(change.ticket))
            case AskedCancel(ticket=ticket):
                self._working(ticket)
                return remove_request(ticket)

    def _order_request(self, order: AskedOrder, account: Row) -> TradeRequest:
        info = self._terminal.symbol(order.symbol)
        (tick, *_) = self._terminal.ticks([order.symbol]) or [{"bid": 0, "ask": 0}]
        requests = submit_requests(
            order,
            symbol_market(order.symbol, info, tick),
            positions=self._terminal.records("positions_get", symbol=order.symbol) if order.closes else (),
            margin_mode=whole(account, "margin_mode"),
            market_deviation_points=self._config.market_deviation_points,
        )
        return self._checked(requests)

    def _working(self, ticket: int) -> Row:
        found = self._terminal.records("orders_get", ticket=ticket)
        if found:
            return found[0]
        if self._terminal.records("history_orders_get", ticket=ticket):
            raise RefusedError(Refusal.ALREADY_DONE, f"order {ticket} has ended")
        raise RefusedError(Refusal.NOT_FOUND, f"there is no order {ticket}")

    def _checked(self, requests: Sequence[TradeRequest]) -> TradeRequest:
        """Return the first request that the terminal's own check takes; checking places nothing."""
        code, words = 0, ""
        for request in requests:
            check = self._terminal.check(request)
            if check is None:
                raise self._terminal.failure_of_last_call("order_check")
            code, words = whole(check, "retcode"), str(check.get("comment", ""))
            if code in _FINE:
                return request
            if code != Retcode.INVALID_FILL:
                break
        raise RefusedError(Refusal.CHECK_FAILED, f"{code} {words}")

    def _send(self, asked: AskedWrite, request: TradeRequest) -> Reply:
        try:
            self._journal.begin(asked.command_id, {"action": asked.action, "request": request})
        except OSError as e:
            raise RefusedError(Refusal.NO_JOURNAL, f"the journal cannot be written: {e}") from e
        self._log.info("command_begun", command_id=asked.command_id, action=asked.action)
        try:
            evidence = self._terminal.send(request)
        except ProtocolError as e:
            evidence = {"raised": str(e)}
        is_answered = "retcode" in evidence or "last_error" in evidence
        reply: Reply = {"result": Result.ANSWERED if is_answered else Result.UNKNOWN, **evidence}
        self._log.info("command_ended", command_id=asked.command_id, **evidence)
        try:
            self._journal.end(asked.command_id, reply)
        except OSError as e:
            self._log.alarm("journal_failed", command_id=asked.command_id, error=str(e))
        return reply


def _repeated(begun: Command) -> Reply:
    return {"repeated": True, **(begun.reply or {"result": Result.UNKNOWN})}
