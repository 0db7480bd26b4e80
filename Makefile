# Everything here needs only `make` and a python3 of 3.11, 3.12 or 3.13 with venv; uv, if it is installed, is faster.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
# `make UV= ...` does without: pip's settings, such as a mirror of a company, are not uv's.
UV ?= $(shell uv --version >/dev/null 2>&1 && echo uv)

.DELETE_ON_ERROR:
.PHONY: help setup setup-dev train train-dqn test test-all test-fast lint evaluate tensorboard lock

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/requirements.lock ## make .venv and install what training and driving need

setup-dev: $(VENV)/requirements-dev.lock ## the same with what tests and notebooks need

$(RUN):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13))' || \
		{ echo "error: Python 3.11, 3.12 or 3.13 is needed; choose one with PYTHON=..." >&2; exit 2; }
	$(if $(UV),$(UV) venv --quiet --seed --allow-existing --python "$$(command -v $(PYTHON))",$(PYTHON) -m venv) $(VENV)

# What is installed lies in the environment as a copy of its lock. pip, unlike uv, is silent while it unpacks. A module
# file of a shared server may tell pip to install elsewhere. uv compiles nothing unless told to, and where Python may not
# write, every process would compile TensorFlow again, for ten seconds.
PIP = env PIP_USER=0 PIP_TARGET= PIP_PREFIX= $(RUN) -m pip install --disable-pip-version-check
$(VENV)/%.lock: %.lock | $(RUN)
	@echo "installing $< into $(VENV) with $(or $(UV),pip): some minutes, once"
	$(if $(UV),$(UV) pip install --compile-bytecode --python $(RUN),$(PIP)) \
		--require-hashes -r $<
	@cp $< $@

# The lock of the tests has everything in the lock of the training, at the same versions.
$(VENV)/requirements-dev.lock: requirements.lock

train: setup ## train the prioritised Double DQN and tell its score on unseen tracks
	$(RUN) DDQN.py $(ARGS)

train-dqn: setup ## the same with the plain DQN
	$(RUN) DQN.py $(ARGS)

evaluate: setup ## score the published drivers on the test tracks
	$(RUN) evaluate.py random pid $(wildcard models/*.safetensors) $(ARGS)

# Each file's tests run one after the other, for they share runs. They wait for others a third of their time, so three
# processes, of up to 2 GB of memory each, keep two cores busy. tests/conftest.py says which file comes first.
PYTEST = $(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test: setup-dev ## check style and types, run all tests
	@$(MAKE) --no-print-directory --jobs=2 lint test-all

test-all: setup-dev
	$(PYTEST) $(ARGS)

test-fast: setup-dev ## run the unit tests only
	$(PYTEST) -m "not slow" $(ARGS)

lint: setup-dev ## check style and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

tensorboard: setup ## watch runs at http://127.0.0.1:6006
	./boot.sh tensorboard $(ARGS)

LOCK = uv pip compile --quiet --universal --generate-hashes pyproject.toml --extra train

lock: ## resolve the four locks again (needs uv)
	$(LOCK) -o requirements.lock
	$(LOCK) --extra dev --constraint requirements.lock -o requirements-dev.lock
	$(LOCK) --extra gpu --constraint requirements.lock -o requirements-gpu.lock
	$(LOCK) --extra cluster --constraint requirements.lock -o requirements-cluster.lock
