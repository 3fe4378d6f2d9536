"""Decide what one wish from outside comes to, with what was read under the lock of its account."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.domain.deployments import Deployment, DeploymentState
from app.domain.errors import ConflictError, InvalidInputError, NotFoundError
from app.domain.external import ExternalTerms, ExternalWish, Leave, Target, Trade
from app.domain.ids import InstrumentId, SignalKey
from app.domain.instruments import Instrument, InstrumentKind, venue_of
from app.domain.market_data import Tick
from app.domain.markets import Market
from app.domain.numbers import ZERO
from app.domain.orders import ProtectionTerms, Side
from app.domain.signals import Signal, SignalKind, SignalLeg
from app.domain.targets import Holding, Move, MoveKind, move_by, move_out, move_to


class NotArmedError(ConflictError):
    """The deployment is not armed today; nothing was recorded, and the same key may be sent again."""

    code = "not_armed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Bring together what a wish is decided by.

    `instrument` is None where the day's contracts do not list it: good enough to leave. `armed_on` is the day
    for which the deployment has joined its market.
    """

    deployment: Deployment
    wish: ExternalWish
    holding: Holding
    instrument: Instrument | None
    market: Market
    day: date
    armed_on: date | None

    def move(self) -> Move:
        """Return what the wish comes to.

        Raises:
            NotFoundError: more than leaving is wished, and the instrument is no contract of the day.
            InvalidInputError, NotArmedError: an entry that the gate would not know to refuse.
        """
        move = self._move()
        if move.kind is MoveKind.ENTER:
            self._require_entry(move)
        return move

    def _move(self) -> Move:
        match self.wish.ask:
            case Leave(only=only):
                return move_out(self.holding, only=only)
            case Target(amount=amount) if amount.value == 0:
                return move_to(ZERO, self.holding, lot_size=Decimal(1))
            case Target(amount=amount):
                lot_size = self._terms().lot_size
                return move_to(amount.units(lot_size), self.holding, lot_size=lot_size)
            case Trade(side=side, amount=amount):
                lot_size = self._terms().lot_size
                return move_by(side, amount.units(lot_size), self.holding, lot_size=lot_size)

    def signal(self, move: Move, tick: Tick | None) -> Signal:
        """Return the signal that an ENTER or EXIT becomes."""
        wish = self.wish
        key, reason = SignalKey(f"ext:{wish.key}"), wish.reason or "handed in"
        if move.kind is MoveKind.EXIT:
            return Signal(
                key=key,
                kind=SignalKind.EXIT,
                reason=reason,
                valid_for_s=wish.valid_for_s,
                instrument_id=wish.instrument_id,
            )
        return Signal(
            key=key,
            kind=SignalKind.ENTER,
            reason=reason,
            valid_for_s=wish.valid_for_s,
            legs=(self._leg(move, tick),),
            leg_timeout_s=wish.leg_timeout_s,
            when_unfilled=wish.when_unfilled,
        )

    def _leg(self, move: Move, tick: Tick | None) -> SignalLeg:
        instrument = self._terms()
        if move.side is None:
            raise InvalidInputError(f"{instrument.instrument_id}: expected a side to enter, got none")
        protection = ExternalTerms.from_mapping(self.deployment.params).protection
        if self.wish.stop_fraction is not None:
            protection = ProtectionTerms(stop_fraction=self.wish.stop_fraction)
        return SignalLeg(
            instrument_id=instrument.instrument_id,
            side=move.side,
            lots=int(move.quantity / instrument.lot_size),
            # Without a price the gate refuses it; the tick size only lets the refused order be shown.
            reference_price=instrument.tick_size if tick is None else tick.last,
            protection=protection,
        )

    def _terms(self) -> Instrument:
        if self.instrument is None:
            name = self.wish.instrument_id
            raise NotFoundError(f"expected a contract of {self.day}, {name} is not in the day's master")
        return self.instrument

    def _require_entry(self, move: Move) -> None:
        """Refuse what the gate does not know: a wrong place, a deployment that has not joined the day."""
        name, instrument = self.deployment.name, self._terms()
        instrument_id = InstrumentId(instrument.instrument_id)
        if instrument.kind is InstrumentKind.INDEX:
            raise InvalidInputError(
                f"instrument_id: expected something to trade, {instrument_id} is an index"
            )
        if instrument.kind is InstrumentKind.SPOT and move.side is Side.SELL:
            raise InvalidInputError(
                f"{instrument_id}: expected BUY, coins not held here would be the user's own"
            )
        terms = ExternalTerms.from_mapping(self.deployment.params)
        if venue_of(instrument_id) not in self.market.venues or not terms.allows(instrument_id):
            raise InvalidInputError(f"{instrument_id}: expected an instrument that {name} may enter")
        if self.deployment.sizing and isinstance(self.wish.ask, Target):
            raise InvalidInputError(
                f"{name}: expected no sizing model where targets are asked for, it would change them"
            )
        if self.deployment.state is DeploymentState.ACTIVE and self.armed_on != self.day:
            raise NotArmedError(
                f"{name} is not armed for {self.day}: its account is not logged in yet, or the day has not "
                "begun or is over; nothing was recorded, the same key may be sent again"
            )
