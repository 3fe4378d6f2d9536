"""An agent on another machine is called through TLS, and only if its certificate is known."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.domain.errors import UnavailableError
from brokers.mt5.log_lines import LogLines
from brokers.mt5.supervisor.config import load_supervisor_config
from brokers.mt5.supervisor.watch import AgentWatch
from tests.contract.mt5.house import AgentProcess, DayClock, Simulator, credentials, new_adapter


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate for loopback and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mt5-agent")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "agent.pem", folder / "agent.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.fixture
def agent(simulator: Simulator, folder: Path, tmp_path: Path) -> Iterator[AgentProcess]:
    """A running agent with a certificate."""
    certificate, key = write_certificate(tmp_path)
    opened = AgentProcess(
        simulator=simulator,
        login=simulator.new_account("NETTING"),
        folder=folder,
        settings={"tls_certificate": str(certificate), "tls_key": str(key)},
    )
    opened.start()
    yield opened
    opened.kill()


def test_only_a_known_certificate_gets_the_password(
    simulator: Simulator,
    clock: DayClock,
    agent: AgentProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = credentials(agent.login, f"https://127.0.0.1:{agent.port}")

    with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        new_adapter(simulator.base_url, clock).login(wanted, egress="", timeout_s=10)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "agent.pem"))
    house = new_adapter(simulator.base_url, clock)
    gateway = house.restore(house.login(wanted, egress="", timeout_s=10))

    assert gateway.request_balance().data.available > 0
    gateway.close()


def test_the_supervisor_knows_its_agent_by_its_certificate(agent: AgentProcess, tmp_path: Path) -> None:
    file = tmp_path / "supervisor.toml"
    file.write_text(f'[[agents]]\nname = "one"\nconfig = "{agent.config}"\n')
    limits = load_supervisor_config(file)
    with (tmp_path / "log").open("w") as log:
        watch = AgentWatch(limits.agents[0], limits, LogLines(log))
        watch.step()
        watch.step()
        watch.end()

    assert '"agent_adopted"' in (tmp_path / "log").read_text()
    assert agent.process is not None
    assert agent.process.wait(10) in (0, -signal.SIGTERM)
