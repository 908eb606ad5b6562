# Two commands are enough: `make app` and `make test`. `make help` lists the rest.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed
DEMO_STAMP := .venv-demo/.installed
HOST ?= 127.0.0.1
PORT ?= 8501

.PHONY: help install app demo demo-install test test-slow soak lint bench screenshots
.DEFAULT_GOAL := help

help:           ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST)

install: $(STAMP)  ## prepare .venv from the requirement files
$(STAMP): requirements.txt requirements-dev.txt requirements-cluster.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	$(BIN)/python -m core doctor --repair
	@touch $@

app: install    ## open the app in the browser
	$(BIN)/streamlit run app/main.py

demo-install: $(DEMO_STAMP)
$(DEMO_STAMP): requirements-demo.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv-demo
	.venv-demo/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-demo.txt -c constraints.txt
	@touch $@

demo: demo-install  ## Predict alone, for guests, from a small .venv-demo (docs/demo.md); HOST=0.0.0.0 listens outside
	GENRESCOPE_MODE=demo .venv-demo/bin/streamlit run app/main.py --server.headless=true --server.address=$(HOST) \
		--server.port=$(PORT) --server.allowedHosts=* --server.maxUploadSize=30 --server.fileWatcherType=none

# One more at a time than there are cores: many tests wait for a browser, or for a process to end.
PYTEST = $(BIN)/python -m pytest
PARALLEL = -n $$($(BIN)/python -c "import os; print(os.cpu_count() + 1)")

test: install   ## the fast tests, in parallel: run them after every change
	$(PYTEST) $(PARALLEL)

test-slow: install  ## the slow tests: kills, clusters, mutations, upgrades, every page in every state; properties on many examples
	HYPOTHESIS_PROFILE=slow $(PYTEST) $(PARALLEL) -m "slow or property"

soak: install   ## the longest version of the tests of faults and bad input: kills by the twenty, files by the thousand (MINUTES=15)
	GENRESCOPE_SOAK=$(or $(MINUTES),15) HYPOTHESIS_PROFILE=soak $(PYTEST) -n 2 -v -rP -m "slow or not slow" \
		tests/faults tests/security tests/jobs tests/test_upgrades.py

lint: install   ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive core app pages

screenshots: install  ## pictures of the app for the README, taken anew
	$(BIN)/python -m tests.browser.screenshots

bench: install  ## measure the claims on speed, memory and disk, beside references; writes benchmarks/results.md
	$(BIN)/python -m benchmarks
