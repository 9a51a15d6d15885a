# Magetsi from a clean clone: `make run`. Needs Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
FLEET ?= 6
VAR ?= var
# More arguments for pytest: make test ARGS="-k tariff".
ARGS ?=
export HOST PORT FLEET VAR

BIN := .venv/bin
INSTALLED := .venv/installed
# Third-party stylesheets and scripts; missing when they cannot be had, and tried again next time.
VENDOR := static/vendor/.stamp
PYTEST := $(BIN)/python -m pytest
# Needs no database: makemigrations warns that it cannot compare its history with one.
MANAGE := DJANGO_SETTINGS_MODULE=cms.settings.test $(BIN)/python -W ignore::RuntimeWarning manage.py
# Lock files name packages and hashes, never where they came from.
LOCK := $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help run services assets test browser screens conformance faults fuzz bench check lock

help: ## This list
	@sed -n 's/^\([a-z ]*\):.*## /\1: /p' Makefile

run: $(INSTALLED) $(VENDOR) ## Magetsi with demo data and virtual chargers (HOST PORT FLEET VAR)
	@$(BIN)/python -m cms.run.supervisor --end-with-parent

services: $(INSTALLED) ## PostgreSQL and Valkey alone, for development
	@$(BIN)/python -m cms.run.services

assets: $(INSTALLED) ## Third-party stylesheets and scripts for static/vendor; fails without them
	@$(BIN)/python -m cms.run.assets --required

test: $(INSTALLED) $(VENDOR) ## The test suite, browsers included where there is one (ARGS goes to pytest)
	@$(PYTEST) -m "not conformance and not faults and not fuzz and not screens" $(ARGS)

browser: $(INSTALLED) $(VENDOR) ## Every page and journey in chromium
	@$(PYTEST) -m "not screens" tests/browser $(ARGS)

screens: $(INSTALLED) $(VENDOR) ## Pictures of every page in VAR/screens; needs chromium
	@$(PYTEST) -m screens tests/browser $(ARGS)

conformance faults fuzz: $(INSTALLED) ## The long runs
	@$(PYTEST) -m $@ $(ARGS) || [ $$? -eq 5 ] # 5: there are no tests of this kind

bench: $(INSTALLED) ## The benchmarks, with a table at the end
	@$(BIN)/python -m tests.benchmarks $(ARGS)

check: $(INSTALLED) ## Lint, types, import contracts, migrations, templates, API schema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy .
	$(BIN)/djlint --quiet --lint templates
	$(MANAGE) check --fail-level WARNING
	$(MANAGE) makemigrations --check --dry-run
	@mkdir -p $(VAR)
	$(MANAGE) spectacular --validate --fail-on-warn --file $(VAR)/schema.yaml

lock: $(INSTALLED) ## Resolve the dependencies anew; LOCK_ARGS=--upgrade for newer versions
	$(LOCK) $(LOCK_ARGS) pyproject.toml --output-file requirements/base.txt
	$(LOCK) $(LOCK_ARGS) pyproject.toml --group embedded --group dev --output-file requirements/dev.txt
	$(LOCK) $(LOCK_ARGS) --group node --output-file requirements/node.txt
	echo 'uv>=0.9' | $(LOCK) $(LOCK_ARGS) - --output-file requirements/uv.txt

# pip comes last into a new environment: without it the making of .venv was interrupted.
$(BIN)/pip:
	@$(PYTHON) -m venv --clear .venv

$(INSTALLED): requirements/dev.txt requirements/uv.txt cms/run/install.py | $(BIN)/pip
	@$(BIN)/python -m cms.run.install requirements/dev.txt
	@touch $@

$(VENDOR): package-lock.json cms/run/assets.py | $(INSTALLED)
	@$(BIN)/python -m cms.run.assets
