# Two commands do everything on a fresh machine with Python 3.11: `make demo` and `make test`.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test docs test-all lint bench notebooks lock clean
.DEFAULT_GOAL := demo

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: .venv/.ready
	$(BIN)/python -m train resnet20 --dataset digits --size 16 --epochs 20 --seed 0 --out runs/demo
	$(BIN)/python -m analysis report runs/demo

test: .venv/.ready
	$(BIN)/pytest -n auto --dist worksteal

docs: .venv/.ready
	$(BIN)/pytest -m "" tests/test_documents.py

test-all: .venv/.ready
	$(BIN)/pytest -n auto --dist worksteal -m "" --all-optimized

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.ready
	$(BIN)/python -m tests.benchmarks

notebooks: .venv/.ready
	$(BIN)/python colab/build.py

# Renew the lock from pyproject.toml; needs uv.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" --output-file requirements.lock

clean:
	rm -rf .venv .cache build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
