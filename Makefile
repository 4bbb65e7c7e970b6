# Everything runs in .venv, which is made on first use from pyproject.toml and constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo install check lint types imports test pages screenshots benchmarks clean

help:  ## Say what can be made.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 14

demo: $(VENV)/.installed  ## Open naq-top on a server, workers and traffic of its own.
	$(BIN)/naq-top --demo

install: $(VENV)/.installed-dev  ## Set up the development environment.

check: lint types imports test  ## All that must pass: style, types, import contracts, tests.

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports --no-logo

test: $(VENV)/.installed-dev
	$(BIN)/pytest -n 4 --dist loadgroup

pages: $(VENV)/.installed-dev  ## Write the schemas, the page of the subjects, the manual and its man pages anew.
	$(BIN)/python -m naq_runtime.events.schema docs
	$(BIN)/python -m naq_tui.cli.pages docs

screenshots: $(VENV)/.installed-dev  ## Draw the pictures in screenshots/ anew.
	$(BIN)/python screenshots/make.py
	$(BIN)/python screenshots/cast.py

benchmarks: $(VENV)/.installed-dev  ## Measure what the documentation claims.
	$(BIN)/python benchmarks/worker_throughput.py
	$(BIN)/python benchmarks/start_latency.py
	$(BIN)/python benchmarks/worker_memory.py
	$(BIN)/python benchmarks/logger_calls.py
	$(BIN)/python benchmarks/event_overhead.py
	$(BIN)/python benchmarks/filters.py
	$(BIN)/python benchmarks/event_queries.py
	$(BIN)/python benchmarks/monitor_ingest.py
	$(BIN)/python benchmarks/monitor_scale.py
	$(BIN)/python benchmarks/event_statistics.py
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/event_retention.py

clean:  ## Remove what was made.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "naq-top needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed
