"""Hand signals in to a desk: a deployment for them, armed, and the doors wired as the API and the CLI do."""

from decimal import Decimal
from typing import Any

from sqlalchemy import update

from app.db.deployments import get_deployment_for_staff
from app.db.models import DeploymentRow
from app.domain.deployments import Deployment
from app.domain.external import Amount, Door, ExternalWish, Leave, Target, Trade, Unit
from app.domain.ids import DeploymentId
from app.domain.instruments import OptionRight
from app.domain.orders import Side
from app.domain.users import Actor, Role
from app.infra.calendars import load_calendar
from app.services.external_signals import Answer, ExternalSignals, open_external_signals
from tests.integration.order_path.desk import TODAY, Desk

STOP = "0.25"


def add_external(desk: Desk, beside: Deployment, *, name: str = "external", **params: Any) -> Deployment:
    """Put a deployment for signals from outside beside another one, armed for the day."""
    with desk.database.begin() as session:
        row = DeploymentRow(
            user_id=beside.user_id,
            account_id=beside.account_id,
            name=name,
            strategy="external",
            params={"stop_fraction": STOP, "instruments": [], **params},
            limits={},
            armed_on=TODAY,
        )
        session.add(row)
        session.flush()
        return get_deployment_for_staff(session, DeploymentId(row.id))


def open_doors(desk: Desk) -> ExternalSignals:
    """Return the use case as the API process has it."""
    parts = desk.parts
    return open_external_signals(
        parts.database,
        parts.clock,
        load_calendar(),
        valkey=parts.impatient_valkey,
        costs=parts.costs,
    )


def owner_of(deployment: Deployment) -> Actor:
    """Return the deployment's trader."""
    return Actor(name="owner", role=Role.TRADER, origin="test", user_id=deployment.user_id)


class Hand:
    """Hand wishes for a call near the money in to one deployment, its price fresh."""

    def __init__(self, desk: Desk, deployment: Deployment) -> None:
        self.desk, self.deployment = desk, deployment
        self.option = desk.option(OptionRight.CALL)
        self.doors = open_doors(desk)
        self._keys = 0

    def refresh(self) -> None:
        """Publish the price anew."""
        self.desk.price([self.option])

    def target(self, lots: int, *, key: str = "", **changes: Any) -> Answer:
        """Ask to hold so many lots."""
        return self._hand(Target(amount=_lots(lots)), key, **changes)

    def trade(self, side: Side, lots: int, *, key: str = "", **changes: Any) -> Answer:
        """Ask to buy or sell so many more."""
        return self._hand(Trade(side=side, amount=_lots(lots)), key, **changes)

    def leave(self, only: Side | None = None, *, key: str = "") -> Answer:
        """Ask to close."""
        return self._hand(Leave(only=only), key)

    def _hand(self, ask: Target | Trade | Leave, key: str, **changes: Any) -> Answer:
        self._keys += 1
        wish = ExternalWish(
            key=key or f"k{self._keys}", instrument_id=self.option.instrument_id, ask=ask, **changes
        )
        return self.doors.hand_in(
            owner_of(self.deployment), self.deployment.deployment_id, wish, door=Door.REST
        )


def disarm(desk: Desk, deployment: Deployment) -> None:
    """Take the deployment out of the day."""
    with desk.database.begin() as session:
        row = update(DeploymentRow).where(DeploymentRow.id == deployment.deployment_id)
        session.execute(row.values(armed_on=None))


def _lots(lots: int) -> Amount:
    return Amount(value=Decimal(lots), unit=Unit.LOTS)
