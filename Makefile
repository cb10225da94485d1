# Two commands do everything: `make demo` and `make test`. Nothing here needs root; only the browser
# that the page tests look for is a system package, and without it those tests say that they are skipped.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# a file of tests to a core: the tests of a file share what is dear to make
PARALLEL := --numprocesses auto --dist loadfile

.PHONY: demo test test-fast test-oldest-duckdb test-moments coverage mutants check bench docs lock browser clean

demo: $(READY)
	$(BIN)/calfwatch demo --home demo-home

test: $(READY) browser check
	$(BIN)/python -m pytest $(PARALLEL)

# the everyday loop: no slow marker, no lint
test-fast: $(READY)
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

check: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m tests.bench.bench $(BENCH)

docs: $(READY)
	$(BIN)/python -m schemas.dictionary > docs/data-dictionary.md

# The virtual environment is made once per lock file; a second call finds it ready. The lock is complete, hence
# --no-deps: asked to resolve as well, pip takes a newer SQLAlchemy into account and then refuses it for its missing hash.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("calfwatch needs Python 3.11 or later; try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check --disable-pip-version-check
	$(BIN)/python -m compileall -q $(VENV)/lib pipelines schemas sql data || true
	touch $@

# Chromium draws the report in the page tests: installed where there is apt and root, else the tests skip loudly
browser:
	@command -v chromium >/dev/null || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
	  && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } \
	  || echo "make: no chromium here, and no apt with root to install it: the page tests will be SKIPPED"

# the oldest DuckDB that is supported must pass as well
test-oldest-duckdb:
	$(PYTHON) -m venv --clear $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --no-deps -r requirements.lock
	$(VENV)-oldest/bin/python -m pip install --quiet duckdb==1.5.6
	$(VENV)-oldest/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(VENV)-oldest/bin/python -m pytest $(PARALLEL) -m "not slow"

# the everyday suite on a Sunday 23:59, a Monday 00:01, 29 February and 31 December of a year of 53 weeks
test-moments: $(READY)
	$(BIN)/python -m tests.moments

# lines and branches that the everyday suite runs; the floor is what was measured, a little rounded down
coverage: $(READY)
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" --cov --cov-report=term --cov-fail-under=95

# 200 faults, one at a time, and the tests that concern each: hours; a run that was stopped goes on
mutants: $(READY)
	$(BIN)/python -m tests.mutants.run $(MUTANTS)

lock:
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet -o requirements.lock

clean:
	rm -rf $(VENV) $(VENV)-oldest demo-home dist .coverage*
