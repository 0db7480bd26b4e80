# Everything here needs only `make` and a python3 of 3.11, 3.12 or 3.13 with venv.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
STAMP = $(VENV)/.installed-from-lock

.PHONY: help setup train train-dqn test test-fast lint evaluate tensorboard lock

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make .venv and install the locked dependencies

$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13))' || \
		{ echo "error: Python 3.11, 3.12 or 3.13 is needed; choose one with PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

train: setup ## train the prioritised Double DQN and tell its score on unseen tracks
	$(RUN) DDQN.py $(ARGS)

train-dqn: setup ## the same with the plain DQN
	$(RUN) DQN.py $(ARGS)

evaluate: setup ## score the published drivers on the test tracks
	$(RUN) evaluate.py random pid $(wildcard models/*.safetensors) $(ARGS)

test: setup lint ## run all tests
	$(RUN) -m pytest $(ARGS)

test-fast: setup ## run the unit tests only
	$(RUN) -m pytest -m "not slow" $(ARGS)

lint: setup ## check style and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

tensorboard: setup ## watch runs at http://127.0.0.1:6006
	$(RUN) -m tensorboard.main --logdir runs --host 127.0.0.1 --samples_per_plugin images=100

LOCK = uv pip compile --quiet --universal --generate-hashes pyproject.toml --extra dev

lock: ## resolve both locks anew (needs uv)
	$(LOCK) -o requirements.lock
	$(LOCK) --extra gpu --constraint requirements.lock -o requirements-gpu.lock
