# Everything runs in .venv; nothing is installed outside it. `make help` lists the verbs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= demo-run
SEED ?= 7
PYTEST_JOBS ?= 2
ARGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help:  ## Show this help
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

.PHONY: install
install: $(STAMP)  ## Make .venv with everything in it, development tools included

.PHONY: weights
weights: install  ## Fetch the embedded model and the sentence encoder into the user's cache (once)
	@$(BIN)/personae models get smollm2
	@$(BIN)/personae models get minilm

.PHONY: demo
demo: weights  ## Run the main job on the embedded model and write the report (OUT=demo-run SEED=7)
	$(BIN)/personae demo --out $(OUT) --seed $(SEED)

.PHONY: test
test: weights  ## Run lint, types and all tests (fast part first, then the embedded model and the slow laws)
	$(MAKE) --no-print-directory lint types
	$(BIN)/python -m pytest -n $(PYTEST_JOBS) --durations=8
	$(BIN)/python -m pytest -m "model or slow or browser" --durations=8

.PHONY: fast
fast: install  ## Run the fast, offline tests only
	$(BIN)/python -m pytest -n $(PYTEST_JOBS)

.PHONY: lint
lint: install  ## Check style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

.PHONY: format
format: install  ## Rewrite files in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: types
types: install  ## Check types (strict on src)
	$(BIN)/basedpyright

.PHONY: bench
bench: weights  ## Measure what we claim about speed (prints; changes nothing)
	@for f in benchmarks/bench_*.py; do echo "== $$f"; $(BIN)/python $$f || exit 1; done

.PHONY: bench-peers
bench-peers: weights  ## Do the same work as other libraries, on one endpoint (installs them apart; ARGS="--only plain")
	$(BIN)/python benchmarks/peers/run.py $(ARGS)

.PHONY: docs
docs: install  ## Regenerate the command reference and check that documents are true
	$(BIN)/python docs/generate.py
	$(BIN)/python -m pytest tests/docs

.PHONY: build
build: install  ## Build the wheel and the source archive into dist/
	$(BIN)/python -m build --no-isolation

.PHONY: clean
clean:  ## Remove build output, caches and the virtual environment
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
