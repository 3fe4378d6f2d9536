"""Run the process that tells people of alarms and hears their kill switches: `python -m tasks.notifier`."""

import signal

from app.config import load_settings
from app.domain.errors import ConfigError
from app.infra.logs import configure_logs
from app.infra.telegram import TelegramBot
from app.services.chat.kill_desk import KillDesk
from app.services.chat.notices import Notices
from app.services.chat.notifier import Notifier
from app.services.chat.people import People
from tasks.container import Container, container


def new_notifier(parts: Container) -> Notifier:
    """Compose the notifier of one process. Raises ConfigError without a token."""
    token = parts.settings.telegram_token
    if token is None:
        raise ConfigError("expected OPENBELL_TELEGRAM_TOKEN, the token of your bot; it is not set")
    people = People(parts.settings.telegram_people, origin="telegram")
    return Notifier(
        TelegramBot(parts.settings.telegram_url, token),
        KillDesk(parts.database, parts.clock, people),
        Notices(parts.database, people),
    )


def main() -> None:
    """Run until a signal."""
    parts = container()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: parts.stop.set())
    new_notifier(parts).run(parts.stop)


if __name__ == "__main__":
    configure_logs(load_settings().log_level, process="notifier")
    main()
