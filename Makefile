# Two commands matter: `make up` and `make test`. All need root except `check`.
.DEFAULT_GOAL := help
PY := .venv/bin/python

help:  ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

.venv/.complete: requirements.lock pyproject.toml
	@python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
	python3 -m venv --clear .venv
	.venv/bin/pip install -q --require-hashes -r requirements.lock
	.venv/bin/pip install -q --no-deps --no-build-isolation --editable .
	@touch $@

up: .venv/.complete  ## Everything: tools, data centre, mall, stacks, site, audit
	@$(PY) -m lab up

down: .venv/.complete  ## End and remove what `up` made (tools stay in the cache)
	@$(PY) -m lab down

tools: .venv/.complete  ## Install packages, find or build the engines
	@$(PY) -m lab tools

check: .venv/.complete  ## Lint, types and unit tests: offline, without root
	.venv/bin/ruff check . && .venv/bin/ruff format --check -q .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/yamllint --strict .
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/ansible-lint --offline --profile production
	.venv/bin/pytest -q -n auto --dist loadfile -m "not lab"

# Machines of the mall mostly wait, clusters mostly compute: side by side they take little longer than one of them.
test: check up  ## Everything, engines and hosts included
	$(MAKE) --keep-going --jobs=2 --output-sync test-mall test-clusters
	$(LAB) .venv/bin/pytest -q -m "lab and last"
	$(LAB) .venv/bin/pytest -q tests/compliance --site mpp-banyuwangi --cluster cikarang --dark kiosk-2 --dark display-2

LAB = . $${BALAI_LAB_STATE:-/var/lib}/balai-lab/env &&

test-mall:  ## Tests of the mall's machines, while `make up` stands
	$(LAB) .venv/bin/pytest -q -m "lab and mall and not last"

test-clusters:  ## All other tests that need the lab, giving way to the mall's screens
	$(LAB) nice .venv/bin/pytest -q -m "lab and not mall and not last"

lock: .venv/.complete  ## Pin requirements.in anew
	.venv/bin/uv pip compile -q --generate-hashes --no-emit-index-url --python-version 3.11 requirements.in -o requirements.lock

.PHONY: help up down tools check test test-mall test-clusters lock
