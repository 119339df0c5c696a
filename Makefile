# The same commands for people and for the build machine: each does all the set-up that it needs.
SHELL := /bin/bash
PYTHON ?= python3
HOME_FOLDER ?= .openami
MINUTES ?= 10
# One more than the processors of a small machine: a test that starts real processes waits for a third of its time.
WORKERS ?= 3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export OPENAMI_HOME ?= $(HOME_FOLDER)

.PHONY: help
help: ## Show the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Processes start in a second less when the program is compiled before they all start at once.
.PHONY: compiled
compiled: setup
	@env -u PYTHONDONTWRITEBYTECODE python -m compileall -q -j 0 src/openami

.PHONY: demo
demo: setup web compiled ## Start the platform with a simulated territory; Ctrl-C stops it.
	openami demo $(ARGS)

.PHONY: up
up: setup web compiled ## Start the platform without simulated meters.
	openami up $(ARGS)

.PHONY: setup
setup: .venv/.ready ## Make the Python environment from the lock file.

.venv/.ready: pyproject.toml uv.lock scripts/system-packages
	scripts/system-packages $(PYTHON)
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5'
	.venv/bin/uv sync --quiet --locked --all-extras --compile-bytecode
	@touch $@

.PHONY: web
web: src/openami/portal/static/index.html ## Build the web application.

src/openami/portal/static/index.html: web/node_modules/.ready $(shell find web/src web/index.html web/*.ts web/openapi.json 2>/dev/null)
	cd web && npm run --silent build

web/node_modules/.ready: web/package.json web/package-lock.json
	cd web && npm ci --silent --no-audit --no-fund
	@touch $@

# Types are checked by one processor and the web application by another; what each says stays together.
.PHONY: test
test: setup web ## Everything that must hold before a commit lands.
	@$(MAKE) --no-print-directory -j 2 --output-sync=target lint test-web
	@$(MAKE) --no-print-directory test-python

.PHONY: lint
lint: setup ## Format, lint, types and import contracts of the Python code.
	ruff format --check --quiet
	ruff check --quiet
	mypy src tests
	lint-imports --no-logo

.PHONY: test-web
test-web: web/node_modules/.ready ## Lint, types and unit tests of the web application.
	cd web && npm run --silent check && npm run --silent test

.PHONY: test-python
test-python: setup compiled ## Doctests and tests: unit, property, golden, pair, contract, simulation, engines, browser.
	env -u PYTHONDONTWRITEBYTECODE pytest -q -m "not soak" -n $(WORKERS) --dist loadscope $(PYTEST_ARGS)

.PHONY: peers
peers: setup ## Print what other makers' DLMS stacks and ours make of each other; installs them into .peers.
	python -m tests.peers $(ARGS)

.PHONY: homes
homes: setup ## Fetch real homes that others published, for measuring; into .homes. NONCOMMERCIAL=1 takes those that only you may use.
	python -m tests.homes $(if $(NONCOMMERCIAL),--noncommercial)

.PHONY: error-rates
error-rates: setup ## Measure false findings and recall of validation on the held-out homes; writes docs/vee/error-rates.md.
	python -m openami.app.bench.findings --page docs/vee/error-rates.md $(ARGS)

.PHONY: attacks
attacks: setup ## Run every test that is about an attack and print the table of attacks with each result.
	python -m tests.attacks $(ARGS)

.PHONY: zones
zones: setup ## Build the zones as network namespaces, send to every port of each, print what passes.
	python -m tests.zones $(ARGS)

.PHONY: canary
canary: setup ## Run the zones with 500 named customers, capture every link and bus, open all, print where names were found.
	python -m tests.canary $(ARGS)

.PHONY: soak
soak: setup ## The long runs: a thousand kills, long fuzzing (MINUTES=60 for an hour of it).
	-.venv/bin/uv sync --quiet --locked --all-extras --group fuzz
	OPENAMI_FUZZ_MINUTES=$(MINUTES) pytest -q -m soak --timeout 14400 $(PYTEST_ARGS)

.PHONY: pictures
pictures: setup web ## Take the README's pictures from a running demonstration.
	python scripts/pictures.py

.PHONY: wheel
wheel: setup web ## Build the wheel, with the web application inside.
	uv build --wheel --quiet

.PHONY: format
format: setup ## Format the Python code.
	ruff format --quiet
	ruff check --fix --quiet

.PHONY: clean
clean: ## Remove the environment and everything built; keeps your home folder.
	rm -rf .venv web/node_modules web/dist src/openami/portal/static dist
