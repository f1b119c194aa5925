# `make demo` and `make test` set everything up by themselves; both are quick the second time.
PYTHON ?= python3
BIN := .venv/bin
DEMO := .venv/.demo
READY := .venv/.ready
# PESQ is C from source, and most of what scoring costs: 1.2 times faster so, with equal scores.
PESQ_CFLAGS ?= -O3 -march=native -ffp-contract=off

.PHONY: agreement all venv lint types test test-all ray cloud bench bench-train browser crosscheck demo docs mini onnx clean

all: lint types test

venv: $(READY)

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# What the demo needs, and no more: no C++ compiler, no test tools.
$(DEMO): requirements/demo.txt requirements/no-deps.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	CFLAGS="$(PESQ_CFLAGS)" $(PIP) install --no-cache-dir --no-binary pesq \
		$$(grep '^pesq==' requirements/demo.txt)
	$(PIP) install -r requirements/demo.txt
	$(PIP) install --no-deps -r requirements/no-deps.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# The rest of the lock: every codec's package, perceptual metrics (a C++ compiler), tests, lint, types.
$(READY): $(DEMO) requirements/lock.txt
	$(PIP) install -r requirements/lock.txt
	@touch $@

# The main job, offline: bundled weights, embedded data, a table of signal metrics; then what
# recognisers make of twenty clips of each set, in a folder of its own as its rows are of fewer clips.
demo: $(DEMO)
	$(BIN)/sqbench run --codec sqcodec-6k --codec opus-6k --codec identity \
		--suite signal --data mini --weights bundled --out results/demo
	$(BIN)/sqbench table results/demo
	$(BIN)/sqbench run --codec sqcodec-6k --codec opus-6k --codec identity --limit 20 \
		--suite application --data mini --weights bundled --out results/demo-applications
	$(BIN)/sqbench table results/demo-applications

# Two processes of one thread each: threads of several processes would only wait for each other.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2

# Also what takes longer: full-size conformance of all seven settings, an hour of audio, a cluster of
# two nodes. Tests of Ray and of S3 skip without `make ray` and `make cloud`.
test-all: $(READY)
	$(BIN)/python -m pytest -q -m 'not gpu and not net'

# Many machines (docs/cluster.md), and object stores as sources of data.
ray cloud: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/$@.txt

# For the slow tests of HTML pages: Playwright and axe-core; the browser is the system's.
browser: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/browser.txt
	@for name in $$SQBENCH_CHROMIUM chromium-headless-shell chromium chromium-browser google-chrome; do \
		command -v $$name > /dev/null && exit 0; done; \
		echo "No browser: apt-get install chromium-headless-shell, or set SQBENCH_CHROMIUM"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/mypy

# Speed against the peers, on this machine, in this run; differences in output beside the times.
bench: $(READY)
	$(BIN)/python benchmarks/network.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/main_job.py

# Our quantizers against a library newer than the one that the conformance tests pin: it goes into a
# folder of its own, ahead of .venv on the path. Records what the default tests compare with.
crosscheck: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target .crosscheck 'vector-quantize-pytorch>=1.31' loguru
	PYTHONPATH=.crosscheck $(BIN)/python tools/crosscheck.py

# What `sqbench metrics` says of listeners, and the picture of docs/which-metric.md.
agreement: $(READY)
	$(BIN)/sqbench agreement ../shared/data/listening/ratings.csv \
		--name '84 clips, 7 speech codecs, MUSHRA' \
		--group '16k=Lyra 3,Lyra 6,Proposed 1.38 16kHz,Proposed 5.51 16kHz' \
		--group '24k=AudioDec,Proposed 1.38,Proposed 5.51' \
		--format csv --plot docs/which-metric.png > .listeners.csv
	mv .listeners.csv bench/sqbench/agreement/data/listeners.csv

# The site, from docs/ and the docstrings: build/site/index.html opens from the disk (its search wants a
# server: python3 -m http.server -d build/site). Any warning
# is an error. It reads our code without importing it, so its packages are its own.
docs: .venv-docs/.ready
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet
	@echo build/site/index.html

.venv-docs/.ready: requirements/docs.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/docs.txt
	@touch $@

# A training step against a plain loop over the published network, on this machine, in this run.
bench-train: $(READY)
	$(BIN)/python benchmarks/train.py

# What `sqbench export-onnx` needs beyond the lock.
onnx: $(READY)
	$(PIP) install -r requirements/onnx.txt

# The embedded data set, made again (needs flite and espeak-ng).
mini: $(READY)
	$(BIN)/python tools/make_mini.py

clean:
	rm -rf .venv .venv-docs .crosscheck build dist .mypy_cache .ruff_cache .pytest_cache
