# The few commands one needs. `make demo` and `make test` do all the set-up themselves, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Without which the tests of the page are skipped.
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

# Where it is set, every start of a program compiles all of this project's modules anew, and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup lock demo test coverage lint stress audit

help:
	@echo "make setup   make .venv from requirements-lock.txt: the template's packages, nsml-local, the tools of development"
	@echo "make lock    renew requirements-lock.txt, the versions that make setup installs"
	@echo "make demo    train on synthetic photographs, submit a checkpoint, print score and leaderboard"
	@echo "make test    check the style and the types, and pass all tests"
	@echo "make coverage  pass all tests, and measure which lines and branches they run"
	@echo "make stress  kill, corrupt, fill disks and fuzz at random, MINUTES=60 for each proof at most; SEED=N repeats a run"
	@echo "make audit   look up known vulnerabilities of what is installed"

setup: $(READY)

# The locked versions, hash by hash, as wheels; then nsml-local from its folder, with the build tools among them.
$(READY): requirements-lock.txt nsml-local/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "make: $(PYTHON) is not Python 3.11, 3.12 or 3.13, which TensorFlow needs; name one of them: make setup PYTHON=python3.13" >&2; exit 2; }
	@echo "Setting up $(VENV): about 3 GB, one to three minutes, only this once"
	@$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile --only-binary :all: --require-hashes -r requirements-lock.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile --no-deps --no-build-isolation -e ./nsml-local
	@# On all processors, where pip would use one, and without the tests of others, which take a quarter of it.
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
	@touch $(READY)

# The newest versions that setup.py, requirements-dev.txt and nsml-local/pyproject.toml allow, the same for each Python and system.
lock: $(READY)
	$(BIN)/uv pip compile --quiet --upgrade --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-annotate --no-emit-package nsml-local \
		--no-config --default-index https://pypi.org/simple --custom-compile-command "make lock" --all-extras \
		setup.py requirements-dev.txt nsml-local/pyproject.toml --output-file requirements-lock.txt
	@rm -rf build *.egg-info

demo: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tools/demo.sh

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
# Starting the threads of the BLAS that NumPy brings along takes half as long as importing NumPy, in each of hundreds of processes.
test coverage: export OPENBLAS_NUM_THREADS := 1
PYTEST := $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder
test: lint
	$(PYTEST)

# The workers of pytest are measured, and what they start, wherever that runs: nearly half of the time in the tests of the commands.
coverage: export COVERAGE_FILE := $(CURDIR)/.coverage/data
coverage: export COVERAGE_RCFILE := $(CURDIR)/pyproject.toml
coverage: $(READY)
	@rm -rf .coverage && mkdir .coverage
	COVERAGE_PROCESS_START=$(COVERAGE_RCFILE) $(PYTEST)
	@$(BIN)/python tools/coverage_report.py $(if $(BROWSER),,--omit nsml/web) nsml=90 dataprep,model,evidence=85

stress: $(READY)
	$(BIN)/python -m stress $(PROOFS) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(TIMES),--times $(TIMES))

audit: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tools/audit.sh $(BIN)/python
