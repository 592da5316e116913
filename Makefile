# What one does with this project; `make` alone lists it. Needs python3 (3.11 or newer) with venv, and nothing else.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

EXAMPLE := config/envision-worker.example.toml
SCHEMA := config/envision-worker.schema.json

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(READY) ## watch tickets travel from a simulated Ensono queue into a simulated service desk
	@$(BIN)/envision-worker demo

.PHONY: test
test: $(READY) ## run all tests (PYTEST_ARGS="-k name" for some)
	@$(BIN)/pytest -n 2 $(PYTEST_ARGS)

SEEDS ?= 0-199
JOBS ?= 2

.PHONY: simulate
simulate: $(READY) ## run the worker through storms (SEEDS=0-999 or SEEDS=1234 for one again, JOBS=2)
	@PYTHONPATH=tests $(BIN)/python -m simulation "$(SEEDS)" --jobs $(JOBS)

.PHONY: check
check: lint types imports schema-current ## run all linters, the type checker and the import contracts

.PHONY: lint
lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# Each folder of tests by itself: they are no packages, and every one may have a conftest.py.
.PHONY: types
types: $(READY)
	$(BIN)/mypy src
	MYPYPATH=deploy $(BIN)/mypy deploy/packages/*.py deploy/grafana/*.py
	$(BIN)/mypy benchmarks/*.py
	@for folder in $$(find tests -name '*.py' -exec dirname {} + | sort -u); do \
		echo "$(BIN)/mypy $$folder/*.py"; $(BIN)/mypy $$folder/*.py || exit 1; done

.PHONY: imports
imports: $(READY)
	$(BIN)/lint-imports

.PHONY: schema-current
schema-current: $(READY)
	@$(BIN)/python -m envision_worker.config.schema $(EXAMPLE) | cmp - $(SCHEMA) \
		|| { echo "$(SCHEMA) is not current: run 'make schema' and commit it" >&2; exit 1; }

.PHONY: schema
schema: $(READY) ## write the JSON Schema of the configuration from the models and the example's comments
	$(BIN)/python -m envision_worker.config.schema $(EXAMPLE) > $(SCHEMA).new
	mv $(SCHEMA).new $(SCHEMA)

.PHONY: format
format: $(READY) ## format the code and mend what the linter can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: install
install: $(READY) ## make .venv with the worker and all it needs, as locked

# The stamp comes last: an attempt that was interrupted or failed is made again.
$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) should be Python 3.11 or newer; name another one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) can't make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "making .venv; the first time this takes a minute"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

UV := build/uv/bin/uv
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" pyproject.toml

.PHONY: lock
lock: $(UV) ## write the lock files from pyproject.toml (UPGRADE=--upgrade takes the newest versions)
	$(COMPILE) $(UPGRADE) -o requirements.lock
	$(COMPILE) $(UPGRADE) --group dev -o requirements-dev.lock

$(UV):
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install --quiet --disable-pip-version-check uv

# Some minutes; wants a machine that has nothing else to do. PARTS are some of throughput,start,idle,attachment,ledger.
SIZES ?= 200,2000,20000
PARTS ?= throughput,start,attachment,ledger,idle

.PHONY: bench
bench: $(READY) ## measure the worker against a plain loop and against its calls alone (SIZES=200,2000 PARTS=throughput)
	@$(BIN)/python -m benchmarks --sizes $(SIZES) --parts $(PARTS) $(BENCH_ARGS)

# --- packages: all that the worker is installed from, in dist/; see docs/install.md -----------------------------------
# TARGET_PYTHON is the Python that they are for: Debian's, where there is one. Everything but the wheel holds locked libraries for it.
PACK = PYTHONPATH=deploy $(BIN)/python -m packages
TARGET_PYTHON ?= $(firstword $(wildcard /usr/bin/python3) $(PYTHON))

.PHONY: wheel bundle deb packages package-test
wheel: $(READY) ## build the wheel
	@$(PACK) wheel

bundle: $(READY) ## build the offline bundle: a tar.gz that installs without a network
	@$(PACK) bundle --python $(TARGET_PYTHON)

deb: $(READY) ## build the Debian package
	@$(PACK) deb --python $(TARGET_PYTHON)

packages: wheel bundle deb ## build all three

# It needs what a virtual machine has and only a privileged container: see tests/packaging/conftest.py. Skipped elsewhere, with the reason.
package-test: $(READY) ## install the packages on fresh machines with systemd, start, upgrade, remove (root; two minutes)
	@$(BIN)/pytest tests/packaging -m package -n 2 --dist loadgroup $(PYTEST_ARGS)

.PHONY: clean
clean: ## remove everything that was made here, .venv included
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
