# `make demo` shows it, `make test` proves it. Both do their own set-up, which is quick when it has been done.
# As root, or through sudo, which asks once.
SHELL := /bin/bash
.NOTPARALLEL:
.PHONY: help demo run test test-quick test-busy vm bench lint deb setup setup-test unit-tests live-tests quick-tests \
	e2e-tests guests userspaces clean

# Of `make vm`: the guests' kernels, by role or by series, and tests/live/test_NAME.py to run there (default: all).
ROLE ?= $(if $(KERNEL),,stable)
KERNEL ?=
LIVE ?=
ARGS ?=
BENCH ?=
# What this host's kernel must be able to do; a guest's is in vmtest/abilities.py.
PPOBSERVE_EXPECT ?= tracepoint
PPOBSERVE_REQUIRE_LIVE ?=
PPOBSERVE_POOLS ?= 10007
# Suites and Pythons that must be had, for example trixie,python3.10.
PPOBSERVE_REQUIRE_USERSPACES ?=
# A tier's outcomes, for the summary of `make test`, and where one of several parts adds its lines.
REPORT ?=
PPOBSERVE_ROWS ?=

BIN := .venv/bin
# Through sudo nothing is cached in the tree: it would be root's.
ROOT := $(if $(filter-out 0,$(shell id -u)),sudo env PYTHONDONTWRITEBYTECODE=1,env)

help: ## these lines
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: setup ## show it all on traffic, in a guest if need be (HERE=1: never)
	@$(BIN)/python -m demo $(if $(HERE),--here)

run: setup ## the daemon alone, for example ARGS="--listen :10817"
	exec $(ROOT) $(BIN)/ppobserve serve $(ARGS)

# Every tier, even if an earlier one fails, and a summary: build/tiers has the logs.
# PPOBSERVE_POOLS: pools that are made and destroyed in one test of the whole run; 10007 in the quick one.
test: setup-test ## every tier of tests, and a summary
	@PPOBSERVE_POOLS=100003 $(BIN)/python -m scripts.run_tiers

# Without the tests that start browsers, a Prometheus, or a machine to install the package on.
# Of the others, those that touch no kernel run beside those that do.
test-quick: lint quick-tests ## lint, unit and live tests: no guests, no browsers

lint: setup-test ## ruff, mypy, shellcheck, clang-format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/shellcheck $$(grep -rlIE '^#!/bin/(ba)?sh' .ci bench deploy scripts)
	$(BIN)/clang-format --dry-run --Werror $$(find bpf -path bpf/shim -prune -o -name "*.[ch]" -print)

PYTEST_HERE = $(ROOT) PPOBSERVE_EXPECT=$(PPOBSERVE_EXPECT) PPOBSERVE_REQUIRE_LIVE=$(PPOBSERVE_REQUIRE_LIVE) \
	PPOBSERVE_POOLS=$(PPOBSERVE_POOLS) PPOBSERVE_REQUIRE_USERSPACES=$(PPOBSERVE_REQUIRE_USERSPACES) \
	PPOBSERVE_ROWS=$(PPOBSERVE_ROWS) $(BIN)/python -m pytest -p no:cacheprovider $(JUNIT)
JUNIT = $(if $(REPORT),--junitxml=$(REPORT))
UNIT = $(addprefix --ignore=tests/,vm userspaces e2e live) tests

unit-tests: setup-test ## values, parsing, screens, pages: no kernel
	$(PYTEST_HERE) $(UNIT)

live-tests: setup-test ## this host's kernel
	$(PYTEST_HERE) tests/live

quick-tests: setup-test ## both of these, side by side
	@mkdir -p build
	@$(PYTEST_HERE) $(UNIT) >build/unit.log 2>&1 & unit=$$!; \
	$(PYTEST_HERE) tests/live; live=$$?; \
	wait $$unit; unit=$$?; cat build/unit.log; exit $$((live + unit))

# In a process of its own: what these tests start runs as long as they do.
e2e-tests: setup-test ## browsers, Prometheus, packages, benches
	$(PYTEST_HERE) tests/e2e

guests: setup-test ## Debian's kernels with two NUMA nodes
	$(BIN)/python -m pytest -p no:cacheprovider -s $(JUNIT) tests/vm

# Two at a time, half of them guests. As root: the roots are made of packages, and entered.
userspaces: setup-test ## other Debian releases' Python and BCC, other Pythons
	$(PYTEST_HERE) -s tests/userspaces

# Beside what a busy host runs. TIERS="e2e-tests" runs one tier so.
TIERS ?= test
test-busy: setup-test ## test beside other programs: TIERS=e2e-tests
	scripts/under_load $(MAKE) $(TIERS)

vm: setup-test ## one of those: KERNEL=7.3 or ROLE=newest, LIVE=counts
	$(BIN)/python -m pytest -p no:cacheprovider -s tests/vm/test_kernels.py $(addprefix --role ,$(ROLE)) \
		$(addprefix --kernel ,$(KERNEL)) $(if $(LIVE),--live $(LIVE))

# What it costs: docs/overhead.md and build/bench.jsonl. BENCH="cost frames" runs some of the scripts.
bench: setup-test ## what ppobserve costs, into docs/overhead.md
	$(ROOT) $(BIN)/python -m bench.run $(BENCH)

deb: setup-test ## the Debian package, into build/deb
	@scripts/deb

setup: ## what running takes: packages and .venv
	@scripts/setup

setup-test: ## what testing takes, too
	@scripts/setup test

# The kernels of the guests are outside the tree and stay: see docs/testing.md.
clean: ## remove .venv and all that was built
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
