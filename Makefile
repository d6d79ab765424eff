# The one front door. Each target does its own set-up; `make` alone lists them.

VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/stamps
RUST := $(shell find crates -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
PORT ?= 8888

.PHONY: help demo test check bench build format clean

help:
	@echo "make demo    the chat on http://127.0.0.1:$(PORT); make demo-NAME, any folder of examples"
	@echo "make test    all tests"
	@echo "make check   linters, types, layers, Rust lints"
	@echo "make bench   benchmarks beside their peers (BENCH='--quick' for a look)"
	@echo "make format  format Python and Rust"
	@echo "make build   virtual environment and engine"
	@echo "make clean   remove what was built"

$(STAMPS)/venv:
	@sh tools/setup.sh $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/tools: $(STAMPS)/venv pyproject.toml
	@$(PY) -m pip install --quiet --upgrade pip maturin
	@touch $@

$(STAMPS)/engine: $(STAMPS)/tools $(RUST) pyproject.toml
	@sh tools/rust.sh
	@echo "Building the engine (release; about two minutes the first time)"
	@VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/maturin develop --release --quiet
	@touch $@

$(STAMPS)/test: $(STAMPS)/tools
	@$(PY) -m pip install --quiet --group test
	@touch $@

$(STAMPS)/lint: $(STAMPS)/tools
	@$(PY) -m pip install --quiet --group lint --group test
	@touch $@

build: $(STAMPS)/engine

demo: demo-chat

demo-%: $(STAMPS)/engine
	@if [ -f examples/$*/requirements.txt ]; then $(PY) -m pip install --quiet -r examples/$*/requirements.txt; fi
	@$(VENV)/bin/eyewall run --app-dir examples/$* --port $(PORT)

test: $(STAMPS)/engine $(STAMPS)/test
	@$(PY) -m pytest $(TESTS)
	@sh tools/rust.sh && cargo test --workspace --exclude eyewall-py --quiet

check: $(STAMPS)/engine $(STAMPS)/lint
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check --quiet
	@$(VENV)/bin/mypy
	@$(VENV)/bin/pyright --pythonpath $(PY)
	@$(VENV)/bin/lint-imports
	@$(PY) -m mypy.stubtest eyewall._engine --mypy-config-file pyproject.toml --ignore-disjoint-bases
	@$(PY) tools/check_shape.py
	@cargo fmt --check
	@PYO3_PYTHON=$(abspath $(PY)) cargo clippy --workspace --all-targets --quiet -- -D warnings

format: $(STAMPS)/lint
	@$(VENV)/bin/ruff format --quiet
	@$(VENV)/bin/ruff check --fix-only --quiet
	@cargo fmt

bench: $(STAMPS)/engine
	@$(PY) benchmarks/run.py $(BENCH)

clean:
	rm -rf $(VENV) target build src/eyewall/_engine*.so
