# A machine with Python 3.11-3.13, pip and make is enough: every target sets up .venv by itself.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: setup demo test coverage lint mutants bench clean

# The first interpreter that runs (a version manager's shim may be there and fail) and fits.
USABLE := import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	"$$p" -c "$(USABLE)" 2>/dev/null && { command -v "$$p"; break; }; done)

DOMAIN ?= eval
COUNT ?= 200
SEED ?= 0

EXTRAS ?= all,dev
# Files to workers, in the order of tests/ordering.py.
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder
BIN := .venv/bin
STAMP := .venv/.installed
# Both names: which one a pip obeys for what a build needs depends on its version.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

setup: $(STAMP)

$(STAMP): pyproject.toml setup.py constraints.txt
	@test -n "$(PYTHON)" || { echo "graphsched needs Python 3.11, 3.12 or 3.13" >&2; exit 1; }
	@# Where Python comes without ensurepip, the venv gets its pip from the outer one.
	$(BIN)/python -m pip --version >/dev/null 2>&1 \
		|| "$(PYTHON)" -m venv --clear .venv \
		|| { "$(PYTHON)" -m venv --clear --without-pip .venv \
			&& "$(PYTHON)" -m pip --python $(BIN)/python install pip; }
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	@touch $@

demo: setup
	$(BIN)/graphsched demo --out runs/demo $(DEMO_FLAGS)

test: setup
	$(BIN)/python -m pytest $(PARALLEL) $(TEST_FLAGS)

# Compiled kernels are invisible to coverage, so the simulators' tests run interpreted here.
coverage: setup
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest tests/envs $(PARALLEL) \
		--cov --cov-report=term --cov-fail-under=95 $(TEST_FLAGS)

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Not part of .ci/run: minutes, and every survivor has to be read.
mutants: setup
	$(BIN)/python -m tests.mutants $(DOMAIN) --count $(COUNT) --seed $(SEED)

bench: setup
	$(BIN)/graphsched bench $(BENCH_FLAGS)

clean:
	rm -rf .venv build dist *.egg-info .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache \
		.hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
