"""A trading desk with a paper exchange of its own, kept alive as `openbell up` keeps it."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from app.db.models import AccountRow, DeploymentRow, LoginRow, UserRow
from app.domain.deployments import Deployment
from app.domain.errors import BrokerError
from app.domain.ids import AccountId, ClientOrderId
from app.domain.instruments import Instrument, OptionRight
from app.domain.market_data import Tick
from app.domain.numbers import Rounding, to_tick
from app.domain.orders import OrderType, Side, TimeInForce
from app.domain.ports import BrokerGateway, OrderRequest
from app.domain.reports import WriteResult
from app.infra.clock import SystemClock
from app.infra.engines.engines import Engines
from app.infra.processes import ProcessGroup, ProcessSpec
from app.infra.stack import free_port, paper_spec
from tests.contract.simulator_kotak.broker import Broker
from tests.integration.order_path.desk import TODAY, Desk, _deployment, open_desk


@dataclass
class PaperStage:
    """Hold the desk, the supervised processes, and the people on paper."""

    desk: Desk
    group: ProcessGroup
    on_paper: list[Deployment] = field(default_factory=list)
    ticks: Sequence[Tick] = ()

    def start_exchange(self) -> None:
        """Start the exchange as `openbell up` does."""
        settings = self.desk.parts.settings
        spec = paper_spec(settings.paper_home, port=settings.paper_port, clock_file=settings.clock_file)
        self.group.start([spec], 20)

    def kill_exchange(self) -> None:
        """Kill the exchange and wait until its supervisor has brought another."""
        self.group.kill("paper")
        self.desk.wait_for(self.tell)

    def start_feed(self) -> None:
        """Start the feed process as `openbell up` does."""
        settings = self.desk.parts.settings
        assert settings.secret_keys is not None
        env = {
            "OPENBELL_HOME": str(settings.home),
            "OPENBELL_REDIS_URL": self.desk.parts.addresses.redis_url,
            "OPENBELL_DATABASE_URL": self.desk.parts.addresses.database_url,
            "OPENBELL_SECRET_KEYS": settings.secret_keys.get_secret_value(),
            "OPENBELL_CLOCK_FILE": str(settings.clock_file),
            "OPENBELL_BROKER_URLS": json.dumps(settings.broker_urls),
            "OPENBELL_PAPER_PORT": str(settings.paper_port),
        }
        argv = (sys.executable, "-m", "tasks.feed", "NSE")
        self.group.start([ProcessSpec(name="feed", argv=argv, env=env)])

    def enroll_on_paper(self, name: str = "penny") -> AccountId:
        """Add a user whose account is on paper, with an address of the outer world, and log it in."""
        with self.desk.database.begin() as session:
            user = UserRow(name=name, role="TRADER", password_hash=None)
            session.add(user)
            session.flush()
            account = AccountRow(user_id=user.id, name="paper", broker="paper", egress="203.0.113.10")
            session.add(account)
            session.flush()
            row = DeploymentRow(
                user_id=user.id,
                account_id=account.id,
                name="straddle",
                strategy="short_straddle",
                params={},
                limits={},
            )
            session.add(row)
            session.flush()
            self.on_paper.append(_deployment(row))
            account_id = AccountId(account.id)
        self.desk.market_day.login_batches(TODAY)
        self.desk.parts.logins.log_in(TODAY, [account_id])
        return account_id

    def login_of(self, account_id: AccountId) -> LoginRow:
        """Return the account's line of the readiness table."""
        with self.desk.database.begin() as session:
            return session.scalars(select(LoginRow).where(LoginRow.account_id == account_id)).one()

    def watch(self) -> None:
        """Take the quotes of the two options that the straddle sells."""
        self.ticks = [self.desk._tick(self.desk.option(right)) for right in OptionRight]

    def tell(self) -> bool:
        """Tell the exchange the quotes, as of now; False while it is away."""
        now = self.desk.clock.now()
        exchange = self.desk.parts.open_paper_exchange()
        try:
            exchange.post_quotes([replace(tick, ts_event=now) for tick in self.ticks])
        except BrokerError:
            return False
        finally:
            exchange.close()
        return True

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait for a condition while quotes keep coming."""
        self.desk.wait_for(lambda: self.tell() and condition())

    def gateway(self, account_id: AccountId) -> BrokerGateway:
        """Return the gateway of an account."""
        return self.desk.parts.gateways.get(account_id)

    def bid_low(self, account_id: AccountId, tag: str, instrument: Instrument) -> WriteResult:
        """Bid at half the price of a watched option, so that the order rests."""
        last = next(tick.last for tick in self.ticks if tick.instrument_id == instrument.instrument_id)
        price = to_tick(last / 2, instrument.tick_size, Rounding.DOWN)
        request = OrderRequest(
            client_order_id=ClientOrderId(tag),
            instrument=instrument,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            quantity=instrument.lot_size,
            price=price,
            trigger_price=None,
        )
        return self.gateway(account_id).submit_order(request, timeout_s=5)

    def pass_time(self, seconds: float) -> None:
        """Jump on with the clock of the installation."""
        self.desk.clock.set(self.desk.clock.now() + timedelta(seconds=seconds), rate=1.0)

    def close(self) -> None:
        """End the processes and the connections."""
        self.group.stop(grace_s=5)
        self.desk.close()
        self.desk.broker.stop()


def open_stage(addresses: Engines, folder: Path) -> PaperStage:
    """Open a desk at 09:20 without anybody on it, and without its exchange."""
    broker = Broker(folder)
    desk = open_desk(addresses, broker, folder, paper_port=free_port())
    return PaperStage(desk=desk, group=ProcessGroup(folder, SystemClock(), on_crash_loop=_refuse))


def _refuse(message: str) -> None:
    raise AssertionError(message)
