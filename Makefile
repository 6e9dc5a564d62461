# efface: each target sets up what it needs; nothing has to be run before it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := scripts tests bench
# The set-up is finished when the file named by the lock's hash stands: a second start is instant.
READY := $(VENV)/ready-$(shell cat requirements.lock pyproject.toml | sha256sum | cut -c1-16)

BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

.DEFAULT_GOAL := help
.PHONY: help demo test browser bench lint format index lock clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

$(READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "efface: $(PYTHON) is older than 3.11: set PYTHON to a newer one" >&2; exit 2; }
	@echo "Setting up $(VENV) (once, about a minute)"
	@exec 9>.setup.lock; flock 9; test -e $@ || { \
	  rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) \
	  && $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock \
	  && $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . \
	  && touch $@; }

demo: $(READY)  ## the whole workflow on DICOM that it makes itself
	@$(BIN)/python scripts/make_demo.py demo
	@$(BIN)/efface run demo/dicom demo/release --work demo/work --config demo/config.yaml

test: $(READY) browser  ## every test, lint among them
	@$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# The tests drive the review page in a browser that is there, or that Debian gives.
browser:
ifeq ($(BROWSER),)
	@test "$$(id -u)" = 0 || { echo "efface: the tests need Chromium: install it, on Debian by apt-get install chromium" >&2; exit 2; }
	@echo "Installing Chromium (once, about a minute)"
	@apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium > /dev/null
endif

bench: $(READY)  ## ratios against peers and against the I/O floor
	@for bench in bench/*.py; do $(BIN)/python $$bench; done

lint: $(READY)  ## formatting and lint of Python and Snakemake files
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/snakefmt --check Snakefile workflow

format: $(READY)  ## write the formatting
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/snakefmt Snakefile workflow

index: $(READY)  ## look for new series in the input of config.yaml
	@$(BIN)/snakemake --cores all --forcerun index_series

lock:  ## resolve pyproject.toml again into requirements.lock (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --all-extras pyproject.toml -o requirements.lock

clean:  ## remove the set-up and the demo
	rm -rf $(VENV) .setup.lock demo .snakemake .pytest_cache .ruff_cache
