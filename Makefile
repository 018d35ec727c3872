# SPDX-License-Identifier: Apache-2.0
#
# `make` prints what there is. `make run` and `make test` need nothing but a Swift toolchain.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

SWIFT ?= swift
PYTHON ?= python3
VENV := .venv
VENV_STAMP := $(VENV)/.installed

# Passed on by `make run` to `starling up`, for example ARGS="--state-dir /var/tmp/starling".
ARGS ?=

DESTDIR ?=
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc

BINARY := .build/release/starling
RELEASE_FLAGS := --configuration release --static-swift-stdlib --product starling
FORMATTED := Package.swift Sources Tests

.PHONY: help
help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: release ## Install what is missing, build, start a private PostgreSQL and serve (ARGS=...).
	exec $(BINARY) up $(ARGS)

.PHONY: test
test: deps venv ## Install what is missing, build, run every test, print a summary.
	SWIFT="$(SWIFT)" scripts/run-tests

.PHONY: test-sanitize
test-sanitize: deps ## Run the Swift tests under the address and the thread sanitizer (ARGS=...).
	SWIFT="$(SWIFT)" scripts/test-sanitized $(ARGS)

.PHONY: build
build: deps ## Build everything for debugging, tests included.
	$(SWIFT) build --build-tests

.PHONY: release
release: deps ## Build the command optimised, with the Swift runtime linked in.
	$(SWIFT) build $(RELEASE_FLAGS)

.PHONY: bench
bench: release venv ## Measure throughput, latency, CPU and memory of the release build (ARGS=...).
	$(SWIFT) build $(subst --product starling,--product Stations,$(RELEASE_FLAGS))
	Tests/Benchmarks/run $(ARGS)

.PHONY: bench-stations
bench-stations: deps venv ## Count instructions and allocations per item of each station (ARGS=--check).
	$(SWIFT) build $(subst --product starling,--product Stations,$(RELEASE_FLAGS))
	$(VENV)/bin/python Tests/Benchmarks/stations.py $(ARGS)

.PHONY: bench-size
bench-size: release venv ## Measure bytes per row beside two other schemas (ARGS=...).
	PYTHONPATH=Tests/Integration $(VENV)/bin/python Tests/Benchmarks/size.py $(ARGS)

.PHONY: bench-query
bench-query: release venv ## Measure the query API over a week of telemetry (ARGS="--scale 0.01" to try it).
	PYTHONPATH=Tests/Integration $(VENV)/bin/python Tests/Benchmarks/query.py $(ARGS)

.PHONY: attack
attack: release venv ## Attack the release build and measure what that costs both sides (ARGS=...).
	Tests/Attacks/run $(ARGS)

# Of each scenario, and which: all, or names out of docs/reliability.md.
DURATION ?= 1m
SCENARIO ?= all

.PHONY: soak
soak: build venv ## Play fault scenarios for long (DURATION=10m SCENARIO="poison overload" ARGS=...).
	Tests/Faults/run-soak --duration $(DURATION) --scenario $(SCENARIO) $(ARGS)

# What is fuzzed: all, or names out of docs/security.md. ARGS go to libFuzzer.
TARGET ?= all

.PHONY: fuzz
fuzz: deps ## Run the fuzzers under the address sanitizer (DURATION=1m TARGET="http2 spool" ARGS=...).
	SWIFT="$(SWIFT)" Tests/Fuzz/run --duration $(DURATION) --target $(TARGET) -- $(ARGS)

.PHONY: proto
proto: deps ## Generate Sources/COTLP from proto/.
	proto/generate

.PHONY: proto-check
proto-check: deps ## Fail if Sources/COTLP is not what proto/ generates.
	proto/generate --check

.PHONY: migrations
migrations: deps ## Copy migrations/ into Sources/Postgres/Generated, which the command carries.
	scripts/embed-migrations

.PHONY: promotion
promotion: deps ## Copy config/attribute-promotion.yaml into Sources/Collector, likewise.
	scripts/embed-promotion

.PHONY: schema-docs
schema-docs: deps venv ## Write what docs/schema.md has from the database (ARGS=--check, ARGS=--measure).
	$(SWIFT) build --product starling
	$(VENV)/bin/python scripts/schema-docs $(ARGS)

.PHONY: format
format: ## Format the Swift sources in place, and wrap comments that are too long.
	scripts/wrap-comments $(FORMATTED)
	$(SWIFT) format --in-place --parallel --recursive $(FORMATTED)

.PHONY: lint
lint: deps venv ## Check the format of the Swift sources and the rules of the house.
	$(SWIFT) format lint --strict --parallel --recursive $(FORMATTED)
	scripts/embed-migrations --check
	scripts/embed-promotion --check
	$(VENV)/bin/pytest --quiet Tests/Tidy

.PHONY: deps
deps: ## Install the Debian packages that are missing (needs root only then).
	@scripts/install-packages

.PHONY: venv
venv: $(VENV_STAMP) ## Make .venv with what the tests need from PyPI.

$(VENV_STAMP): Tests/requirements.txt | deps
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

.PHONY: install
install: ## Install the release build, unit, accounts and documents (DESTDIR, PREFIX, SYSCONFDIR).
	@if [[ ! -x $(BINARY) ]]; then \
	    echo "make install: build first, with make release" >&2; \
	    exit 1; \
	fi
	scripts/install-files $(BINARY) "$(DESTDIR)" "$(PREFIX)" "$(SYSCONFDIR)"

.PHONY: clean
clean: ## Remove what was built (not .venv, not the state of `starling up`).
	rm -rf .build .build-asan .build-tsan .build-fuzz
