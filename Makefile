# Each target does its own set-up: a virtual environment with the locked packages.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: demo test check bench bench-handler bench-crowd hostile fuzz lock clean

demo: $(READY)  ## the practice web and the whole chain on it, about a minute
	$(BIN)/leadline demo --no-browser

test: $(READY)  ## all tests
	$(BIN)/python -m pytest -q

check: $(READY)  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## pages per CPU-second and memory, beside stock Scrapy
	$(BIN)/python -m benchmarks.crawl

hostile: $(READY)  ## every hostile case and its bounds in one table, about three minutes
	$(BIN)/python -m benchmarks.hostile

bench-crowd: $(READY)  ## three hundred sites with and without one hostile in ten, about six minutes
	$(BIN)/python -m benchmarks.crowd

bench-handler: $(READY)  ## our download handler beside Scrapy's stock one, everything else the same
	$(BIN)/python -m benchmarks.handler

SECONDS ?= 60
fuzz: $(READY)  ## each fuzz target for SECONDS seconds, guided by coverage where atheris has a wheel
	$(BIN)/python -m pip install --quiet 'atheris>=3.0' || echo "atheris cannot be installed here: fuzzing by chance"
	$(BIN)/python -m tests.fuzz all --seconds $(SECONDS)

lock:  ## new versions for requirements.lock (needs uv)
	uv pip compile pyproject.toml --group dev --extra postgresql --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
