# Parley's commands. `make` alone lists them. Everything is set up in .venv on the way.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

VENV := .venv
PY := $(VENV)/bin/python
# The machine's certificates: companies sign their own mirrors.
UV := $(VENV)/bin/uv --system-certs
READY := $(VENV)/.ready
PYTEST_ARGS ?= -n 2 --dist loadgroup -q
# Python of your choice: make PYTHON=/path/to/python3.12 test
PYTHON ?=
# Nothing of the caller's environment may redirect imports or the target of an installation.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV CONDA_PREFIX UV_PROJECT_ENVIRONMENT

.PHONY: help run demo test bench chaos check lint types imports audit format lock setup clean

help: ## Show this list
	@printf 'Parley: an AI front desk for WhatsApp\n\n'
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile
	@printf '\nStart with: make run\n'

run: $(READY) ## Run everything here, show a conversation, stay up until Ctrl-C
	@exec $(PY) -P -m app.cli.main up $(ARGS)

demo: $(READY) ## Show one conversation with its evidence, then stop
	@exec $(PY) -P -m app.cli.main demo $(ARGS)

test: $(READY) ## Run all tests against a real PostgreSQL and Redis
	@$(PY) -m pytest $(PYTEST_ARGS)

bench: $(READY) ## Measure this machine against the budgets, as docs/benchmarks.md says
	@for name in ingest reply latency fairness ledger; do \
	  $(PY) -P -m app.cli.main bench $$name --json $(ARGS) || exit 1; echo; \
	done

chaos: $(READY) ## Kill everything for half an hour: nothing lost, nothing said twice
	@status=0; for seed in 1 2 3 4 5; do \
	  $(PY) -P -m app.cli.main chaos --messages 2000 --kills 40 --seed $$seed || status=1; \
	done; \
	$(PY) -P -m app.cli.main chaos --points 20 || status=1; exit $$status

check: lint types imports audit test ## Lint, types, import contract, audit, tests: what CI runs

lint: $(READY) ## Check style and formatting
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: $(READY) ## Check types
	@$(PY) -m mypy

imports: $(READY) ## Check who imports whom
	@$(VENV)/bin/lint-imports

audit: $(READY) ## Look the locked packages up in the vulnerability database
	@$(PY) -P -m app.cli.checks.audit requirements.lock

format: $(READY) ## Format the code and fix what can be fixed
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

lock: $(READY) ## Resolve requirements.lock anew
	@$(UV) pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements.lock
	@echo 'requirements.lock written'

setup: $(READY) ## Set up .venv and nothing else

clean: ## Remove .venv, caches and the demo's data; .parley stays
	@rm -rf $(VENV) .parley-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo 'clean; data of `make run` is kept in .parley (remove it yourself to begin anew)'

# uv and every package come with hashes from requirements.lock; the lock names no index, so the
# machine's own configuration decides where they come from. pip reads configuration that uv does
# not, and takes over where uv cannot find something.
$(READY): requirements.lock pyproject.toml
	@if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  python="$(PYTHON)"; missing=; \
	  for name in python3.12 python3.11 python3.13 python3; do \
	    test -z "$$python" || break; \
	    "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	      >/dev/null 2>&1 || continue; \
	    if "$$name" -c 'import ensurepip, venv' >/dev/null 2>&1; then python=$$name; \
	    else missing="$$missing $$name"; fi; \
	  done; \
	  if test -z "$$python"; then \
	    if test -n "$$missing"; then \
	      echo "Found$$missing, but without venv/ensurepip. On Debian and Ubuntu:" >&2; \
	      echo '  apt-get install python3-venv' >&2; \
	    else \
	      echo 'Parley needs Python 3.11, 3.12 or 3.13 on PATH (or make PYTHON=/path/to/it).' >&2; \
	    fi; exit 1; \
	  fi; \
	  echo "Setting up $(VENV) with $$("$$python" --version 2>&1)"; \
	  rm -rf $(VENV); "$$python" -m venv $(VENV); \
	fi
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.txt
	@$(PY) -m pip install -qq --disable-pip-version-check --require-hashes --no-deps \
	  -r $(VENV)/uv.txt
	@echo 'Installing packages'
	@$(UV) pip install -q --python $(PY) --require-hashes -r requirements.lock || { \
	  echo 'uv could not install them; trying pip'; \
	  $(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(UV) pip install -q --python $(PY) --no-build-isolation --no-deps -e .
	@touch $(READY)
