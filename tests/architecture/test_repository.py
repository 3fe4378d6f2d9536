"""What the repository holds, and what it must not."""

import importlib
import os
import re
from dataclasses import fields
from pathlib import Path

import pytest

from app.config import Settings
from app.domain.risk.limits import RiskLimits
from tests.architecture.sources import PACKAGES, ROOT, place, repository_files

# Folders that exist on one machine only. Put together here, so that this file does not hold them either.
MACHINE_PATHS = re.compile("|".join(["/" + name + "/" for name in ("work", "root", "tmp/t", r"home/[a-z]+")]))
VARIABLE = re.compile(r"^(?:# )?(OPENBELL_[A-Z0-9_]+)=", re.MULTILINE)


@pytest.mark.parametrize("name", PACKAGES)
def test_our_packages_are_ours(name: str) -> None:
    """Their names are generic: an installed package of the same name must not get in first."""
    file = importlib.import_module(name).__file__

    assert file is not None
    assert Path(file).parent == ROOT / name


def test_every_folder_of_ours_is_a_package() -> None:
    """One without __init__.py loses to any installed package of that name."""
    folders = {path.parent for name in (*PACKAGES, "tests") for path in (ROOT / name).rglob("*.py")}

    assert [place(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_the_migrations_are_no_package() -> None:
    """With an __init__.py our folder would be imported instead of Alembic."""
    assert list((ROOT / "alembic").rglob("__init__.py")) == []


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    found = []
    for path in repository_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or data
        lines = enumerate(text.splitlines(), start=1)
        found += [f"{place(path)}:{number}" for number, line in lines if MACHINE_PATHS.search(line)]

    assert found == []


def test_the_dashboard_names_every_limit_and_no_other() -> None:
    text = (ROOT / "frontend/src/features/limits/limit-names.ts").read_text(encoding="utf-8")

    named = re.findall(r"\bname: '(\w+)'", text)

    # A daily loss that names its currency has as many names as there are currencies.
    assert sorted(named) == sorted({field.name for field in fields(RiskLimits)} - {"daily_losses"})


def test_the_example_environment_names_every_setting_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    settings = {f"OPENBELL_{name.upper()}" for name in Settings.model_fields}

    assert set(VARIABLE.findall(text)) == settings


def test_the_example_environment_shows_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OPENBELL_")]:
        monkeypatch.delenv(name)
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    shown = [line.removeprefix("# ") for line in text.splitlines() if VARIABLE.match(line)]
    example = tmp_path / "env"
    example.write_text("\n".join(line for line in shown if not line.endswith("=")), encoding="utf-8")

    assert Settings(_env_file=example) == Settings(_env_file=None)
