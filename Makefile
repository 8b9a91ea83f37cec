# The few commands one needs. `make demo` and `make test` do all the set-up themselves, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Without which the tests of the page are skipped.
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

# Where it is set, every start of a program compiles all of this project's modules anew, and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test lint stress audit

help:
	@echo "make setup   make .venv with the template's needs, nsml-local and the tools of development"
	@echo "make demo    train on made-up photographs, submit a checkpoint, print score and leaderboard"
	@echo "make test    check the style and the types, and pass all tests"
	@echo "make stress  kill, corrupt, fill disks and fuzz at random, MINUTES=60 for each proof at most; SEED=N repeats a run"
	@echo "make audit   look up known vulnerabilities of what is installed"

setup: $(READY)

$(READY): setup.py requirements-dev.txt nsml-local/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than Python 3.11; name a newer one with PYTHON=..." >&2; exit 2; }
	@echo "Setting up $(VENV): about 2 GB, one to three minutes, only this once"
	@$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile -r requirements-dev.txt -e './nsml-local[images,scorers,compare,web]' .
	@# On all processors, where pip would use one, and without the tests of others, which take a quarter of it.
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
	@rm -rf build *.egg-info
	@touch $(READY)

demo: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tools/demo.sh

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
# Starting the threads of the BLAS that NumPy brings along takes half as long as importing NumPy, in each of hundreds of processes.
test: export OPENBLAS_NUM_THREADS := 1
# So that the workers of pytest are measured, and what they start, wherever that runs.
test: export COVERAGE_FILE := $(CURDIR)/.coverage/data
test: export COVERAGE_RCFILE := $(CURDIR)/pyproject.toml
test: lint
	@rm -rf .coverage && mkdir .coverage
	COVERAGE_PROCESS_START=$(COVERAGE_RCFILE) $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder
	@$(BIN)/python tools/coverage_report.py $(if $(BROWSER),,--omit nsml/web) nsml=90 dataprep,model=85

stress: $(READY)
	$(BIN)/python -m stress $(PROOFS) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(TIMES),--times $(TIMES))

audit: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tools/audit.sh $(BIN)/python
