"""The SDK keeps quiet and leaves the process as it was."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, logging, os, sys, ssl, structlog
structlog.configure(
    processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.PrintLoggerFactory()
)
before = structlog.get_config()
from brokers.kotak_neo.sdk import load_sdk, new_api
assert "neo_api_client" not in sys.modules
load_sdk()
assert structlog.get_config() == before, structlog.get_config()
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from brokers.kotak_neo.egress import AccountTransport, Endpoint, Lane
from brokers.kotak_neo.client import NeoClient
transport = AccountTransport(
    endpoint=Endpoint("http://127.0.0.1:1"), tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), egress=""
)
client = NeoClient(consumer_key="SECRET-KEY", transport=transport)
secrets = {"mobile_number": "+91SECRET", "ucc": "SECRET", "totp": "SECRET"}
client.call("totp_login", lane=Lane.READS, timeout_s=1.0, **secrets)
assert structlog.contextvars.get_contextvars() == {}
structlog.get_logger().info("ours")
"""


def test_nothing_of_a_login_is_logged_and_our_logging_stays(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert '"event": "ours"' in done.stdout
    assert "SECRET" not in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())
