"""Run a host as a process of its own, to see it die."""

import os

from app.db.session import Database
from app.infra.streams import connect
from tests.integration.loops.stage import Stage

if __name__ == "__main__":
    stage = Stage(Database(os.environ["TEST_DATABASE_URL"]), connect(os.environ["TEST_REDIS_URL"]))
    stage.start()
    stage.join()
