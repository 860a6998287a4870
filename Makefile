# The commands of this repository. Needs make and Python >= 3.11, nothing else. `make help` lists them.
#
# Recipes are simple commands, without double quotes: make then starts them without a shell, and they notice when make
# is killed (TRACKER_MAKE_PID). Their paths are relative, so that a clone may live in a directory with spaces.

SUITABLE = import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
CANDIDATES = python3 python3.13 python3.12 python3.11 python3.14 python
# Prints the first suitable Python; failing that the first one at all, whose own message then says what is wrong.
FIND_PYTHON = for p in $(CANDIDATES); do "$$p" -c '$(SUITABLE)' 2>/dev/null && { echo "$$p"; exit; }; done; \
	for p in $(CANDIDATES); do "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null && { echo "$$p"; exit; }; done
FOUND_PYTHON = $(or $(PYTHON),$(shell $(FIND_PYTHON)),$(error No Python found. Install Python 3.11 or newer, or name one: make $@ PYTHON=/path/to/python3))

export TRACKER_MAKE_PID := $(shell echo $$PPID)
export DEBUG := 1
export PYTHONUNBUFFERED := 1
export ARGS NAME PORT DEMO SOAK_SECONDS SOAK_SEED SOAK_STOPS

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-dev setup-bench demo test soak run bench lint messages clean

help:
	@echo "make demo    a fleet's day from HTTP to reports on local servers, in a few minutes"
	@echo "make test    all tests against real PostgreSQL and Redis   ARGS='-k words' for some"
	@echo "make soak    kills something every few seconds, then checks that nothing was lost; 8 minutes   SOAK_SECONDS=300"
	@echo "make run     web server, clusters and a live fleet until Ctrl-C   PORT=8000   DEMO=1 begins with its past month"
	@echo "make bench   measurements   NAME=... for one"
	@echo "make lint    format, style, types, imports, migrations, deployment check"
	@echo "make messages  translations: new texts in, old ones out, compiled"
	@echo "make clean   remove .venv, local data and caches"
	@echo "Local servers by hand: DEBUG=1 .venv/bin/python manage.py services start, status, stop"

setup:
	@'$(FOUND_PYTHON)' -I trackerproject/dev/setup_venv.py

setup-dev:
	@'$(FOUND_PYTHON)' -I trackerproject/dev/setup_venv.py --dev

demo: setup
	@.venv/bin/python manage.py demo

test: setup-dev
	@.venv/bin/python -m trackerproject.dev.run_tests

soak: setup
	@.venv/bin/python -m trackerproject.dev.soak

run: setup
	@.venv/bin/python manage.py run_local

setup-bench:
	@'$(FOUND_PYTHON)' -I trackerproject/dev/setup_venv.py --bench

bench: setup-bench
	@.venv/bin/python -m benchmarks

lint: setup-dev
	@.venv/bin/python -m trackerproject.dev.lint

messages: setup-dev
	@.venv/bin/python -m trackerproject.dev.translations

clean:
	@'$(FOUND_PYTHON)' -I trackerproject/dev/setup_venv.py clean
