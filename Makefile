# Everything a developer or a first visitor runs. Needs Python 3.11 or newer with venv, and the package registries.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
ONLY ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long test-peers check bench lock web clean services

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv with everything a developer needs; quick when nothing changed
	@$(PYTHON) requirements/install

demo: setup web ## Run it all in this terminal, with emulated terminals and a sample company
	@$(BIN)/muster demo $(ARGS)

test: setup web services ## Run every test that takes seconds (ARGS='-k name' runs some)
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: setup web services ## Run the tests that take minutes
	@$(BIN)/pytest --long $(ARGS)

test-peers: setup ## Read real business systems with our presets; installs them into .peers
	@PYTHON=$(PYTHON) deploy/install-test-peers
	@MUSTER_PEERS=$${MUSTER_PEERS:-$(CURDIR)/.peers} $(BIN)/pytest -n 2 --dist loadfile --peers tests/peers $(ARGS)

check: setup web ## Formatting, lint, types, import rules, and the same for the pages
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@if [ -f web/package.json ]; then cd web && PATH="$$PATH:$(CURDIR)/$(BIN)" npm run --silent check; fi

bench: setup ## Measure the figures to hold (ARGS=--json, ONLY=name)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(ARGS)

lock: setup ## Lock the newest versions that pyproject.toml allows
	@requirements/lock

web: setup ## Build the pages when their sources changed
	@$(BIN)/python hatch_build.py

services: setup
	@deploy/install-test-services

clean: ## Remove what was built; the virtual environment too
	@rm -rf .venv build dist server/static web/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
