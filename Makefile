# Openbell. `make help` lists the targets; the first one of any kind sets everything up by itself.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# A shell that forbids bytecode would make every process compile every module at every start.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; \
  done)
BIN := .venv/bin
ARGS ?=
CORE := tests/unit/domain tests/unit/engine tests/property

.PHONY: help setup demo up down test core unit integration e2e frontend-test browser-test
.PHONY: check lint types imports architecture docs-brokers format migrate revision bench-blast chaos

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: ## make a clean clone ready; a second time it takes a moment
	@test -n "$(PYTHON)" || { echo "openbell: Python 3.11, 3.12 or 3.13 is needed and was not found." >&2; exit 1; }
	@$(PYTHON) deploy/setup.py

demo: setup ## run a whole trading day on simulators: make demo ARGS="--accounts 30 --exit"
	@exec $(BIN)/openbell demo $(ARGS)

up: setup ## run the stack on this machine
	@exec $(BIN)/openbell up $(ARGS)

down: setup ## stop the stack
	@exec $(BIN)/openbell down $(ARGS)

test: setup ## run every test: Python, dashboard, browser
	@$(MAKE) -k core unit integration e2e frontend-test browser-test

core: setup ## run the tests of the domain and the engine; every branch must be covered
	@$(BIN)/coverage run -m pytest -q $(CORE)
	@$(BIN)/coverage report --show-missing --skip-covered

unit: setup ## run the other Python tests that need no engines
	@$(BIN)/pytest -q -n 4 --dist loadfile tests --ignore tests/integration --ignore tests/e2e $(CORE:%=--ignore %)

integration: setup ## run the tests on real PostgreSQL, Valkey and processes
	@$(BIN)/pytest -q -n 4 --dist loadfile tests/integration

e2e: setup ## run whole trading days
	@$(BIN)/pytest -q -n 3 --dist load --maxschedchunk 1 --durations 12 tests/e2e

chaos: setup ## break a whole day by a plan of faults and write docs/reliability.md (40 minutes): make chaos ARGS="--seed 2"
	@$(BIN)/python -m tests.chaos $(ARGS)

frontend-test: setup ## run the dashboard's tests
	@$(PYTHON) deploy/setup.py npm run test

browser-test: setup ## run the dashboard in Chromium; OPENBELL_REQUIRE_BROWSER=1 insists on it
	@$(PYTHON) deploy/setup.py npm run test:browser

check: lint types imports architecture ## check style, types, layers and sizes

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy

imports: setup
	@$(BIN)/lint-imports

docs-brokers: setup ## run every adapter's cards and write docs/brokers.md
	@$(BIN)/python -m tests.contract.table

bench-blast: setup ## measure what a black-holed broker costs the others at the bell (15 minutes, quiet machine)
	@$(BIN)/python -m bench.blast_radius $(ARGS)

architecture: setup
	@$(BIN)/pytest -q tests/architecture

format: setup ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

migrate: setup ## bring the database of this copy to the newest schema
	@$(BIN)/alembic upgrade head

revision: setup ## write a migration for changed tables: make revision MESSAGE="add a column"
	@$(BIN)/alembic revision --autogenerate -m "$(MESSAGE)"
