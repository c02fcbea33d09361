# The front door: python3 (3.11 or later) and make are all it needs.
#
#   make demo         adapt a model to a second scanner, on real images (minutes the first time)
#   make test         the tests                    make lint   style, format and types
#   make docs         the site, docs/_build/html   make clean  remove whatever was built
#   make check-site   open every page of that site in a browser (needs Chromium), wide and narrow
#   make test-slow    the long tests: whole lessons, training of nets (minutes)
#   make test-portable  the tests of printed figures, as on other CPUs and numbers of threads
#   make test-install   pip install of the extras into empty environments
#   make test-oldest    the tests on the oldest versions that pyproject.toml allows
#   make test-interop   the tests with other packages: XGBoost, skrub, MAPIE, MLflow and more

PYTHON ?= python3
WORKERS ?= 2

# One thread a worker: tests are small, and threads of several workers would fight.
OMP_NUM_THREADS ?= 1
MPLBACKEND ?= Agg
export OMP_NUM_THREADS MPLBACKEND

BIN := .venv/bin
DEMO_READY := .venv/.ready-demo
DEV_READY := .venv/.ready-dev
OLDEST_READY := .venv-oldest/.ready
INTEROP_READY := .venv-interop/.ready

# Two set-ups at the same time take turns, where the system has flock.
TAKE_TURNS := $(if $(shell command -v flock),flock .make.lock)

CHECK_PYTHON := $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("skda needs Python 3.11 or later, and $(PYTHON) is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'

.PHONY: .venv demo test test-slow test-portable test-install test-oldest test-interop \
    lint docs docs-fast check-site clean

# Everything a developer needs. The demo is content with less of the same environment.
.venv: $(DEV_READY)

$(DEMO_READY): pyproject.toml constraints-dev.txt
	@$(CHECK_PYTHON)
	@echo "Installing skda into .venv"
	@$(TAKE_TURNS) sh -c '$(PYTHON) -m venv .venv \
	    && $(BIN)/python -m pip install --quiet --upgrade pip \
	    && $(BIN)/python -m pip install --quiet -c constraints-dev.txt -e ".[plot]"'
	@touch $@

$(DEV_READY): $(DEMO_READY)
	@echo "Installing the development tools into .venv"
	@$(TAKE_TURNS) $(BIN)/python -m pip install --quiet -c constraints-dev.txt -e ".[dev]"
	@touch $@

$(OLDEST_READY): pyproject.toml constraints-oldest.txt
	@$(CHECK_PYTHON)
	@echo "Installing the oldest supported versions into .venv-oldest"
	@$(TAKE_TURNS) sh -c '$(PYTHON) -m venv .venv-oldest \
	    && .venv-oldest/bin/python -m pip install --quiet --upgrade pip \
	    && .venv-oldest/bin/python -m pip install --quiet -c constraints-dev.txt \
	        -c constraints-oldest.txt -e ".[dev]"'
	@touch $@

$(INTEROP_READY): pyproject.toml constraints-dev.txt
	@$(CHECK_PYTHON)
	@echo "Installing the other packages into .venv-interop"
	@$(TAKE_TURNS) sh -c '$(PYTHON) -m venv .venv-interop \
	    && .venv-interop/bin/python -m pip install --quiet --upgrade pip \
	    && .venv-interop/bin/python -m pip install --quiet -c constraints-dev.txt \
	        -e ".[dev,interop]"'
	@touch $@

demo: $(DEMO_READY)
	$(BIN)/python examples/plot_01_first_adaptation.py

test: $(DEV_READY)
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

test-slow: $(DEV_READY)
	$(BIN)/python -m pytest -n $(WORKERS) -m slow tests

test-portable: $(DEV_READY)
	$(BIN)/python tests/portable.py --workers $(WORKERS) $(PORTABLE)

test-install: $(DEV_READY)
	SKDA_TEST_INSTALL=1 $(BIN)/python -m pytest -q tests/test_install.py --timeout 1800

test-oldest: $(OLDEST_READY)
	.venv-oldest/bin/python -m pytest -n $(WORKERS)

test-interop: $(INTEROP_READY)
	.venv-interop/bin/python -m pytest -n $(WORKERS) tests/interop

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(DEV_READY)
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

# Without running the lessons, which the tests have run, and with the figures that there are.
docs-fast: $(DEV_READY)
	$(BIN)/sphinx-build -W --keep-going -b html -D plot_gallery=0 -D pictures_redraw=0 docs docs/_build/html-fast

# What `make docs` has built; SITE=docs/_build/html-fast checks what `make docs-fast` has.
SITE ?= docs/_build/html
check-site: $(DEV_READY)
	$(BIN)/python docs/check_site.py $(SITE)

clean:
	rm -rf .venv .venv-oldest .venv-interop .make.lock .pytest_cache .mypy_cache .ruff_cache dist demo_output
	rm -rf docs/_build docs/api/generated docs/benchmark_details docs/gallery docs/sg_execution_times.rst
	find skda tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
