# Canh. Two commands do everything: `make run` (the main job) and `make test` (all tests).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run down test setup check unit fuzz server lab browser bench golden pictures doctor logs lock packages-run packages-test
export CANH_CACHE ?= $(HOME)/.cache/canh
unexport PYTHONDONTWRITEBYTECODE
CANH := .venv/bin/canh
PYTEST := .venv/bin/pytest

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

run: packages-run setup ## build the lab province, watch it, print the console's address and three things to try
	@$(CANH) lab up

down: ## take away everything `make run` made: machines, links, namespaces, routes, processes
	@if [ -x $(CANH) ]; then $(CANH) lab down; else echo "nothing to take down: make run was never here"; fi

test: packages-test setup ## all tests, quick ones first
	@tests/run.sh

setup: ## .venv with .venv/bin/canh, nothing else
	@infra/toolchain/setup.sh

check: setup ## format, lint, strict types, import directions
	@.venv/bin/ruff format --check --quiet . || { echo "fix: .venv/bin/ruff format ."; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

unit: setup ## tests without root or network (two minutes on two cores)
	@$(PYTEST) tests/unit -q -n 3 --dist worksteal

fuzz: setup ## the properties on random examples, ROUNDS=5 times; stops at the first that fails
	@tests/fuzz.sh

lab: packages-test setup ## tests against real machines and daemons
	@tests/run.sh lab

browser: packages-test setup ## the console in Debian's Chromium
	@$(PYTEST) tests/browser -q

server: packages-test setup ## the scale-out store against a real Elasticsearch (JDK 21)
	@$(PYTEST) tests/server -q

bench: setup ## figures as ratios against a floor or a peer, printed as a table
	@.venv/bin/python -m tests.bench

golden: setup ## rewrite the golden cases; review the diff like code
	@CANH_GOLDEN=write $(PYTEST) tests/unit -q -n 2

pictures: setup ## retake the README's pictures of the console
	@CANH_PICTURES=docs/images $(PYTEST) tests/browser/test_pictures.py -q

doctor: ## what this machine lacks, and the command that installs it
	@infra/toolchain/doctor.sh

logs: ## follow the platform on the lab's SOC host
	@ssh -F var/lab/ssh_config dc-soc1 sudo journalctl -fu canh

lock: setup ## resolve requirements.in into requirements.txt, with hashes
	@.venv/bin/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements.in -o requirements.txt

packages-run packages-test:
	@infra/toolchain/packages.sh $(@:packages-%=%)
