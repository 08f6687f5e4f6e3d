# Everything a newcomer needs. `make run` and `make test` work on a fresh machine with Python 3.11+.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup run test check format bench faults mutants services screenshots docs infra-test deploy-test clean
.DEFAULT_GOAL := run

.venv/.runtime: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what the product needs …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.dev: requirements.txt requirements-dev.txt | .venv/.runtime
	@echo "Installing what its tests need …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

setup: .venv/.runtime .venv/.dev  ## the virtual environment, with everything

run: .venv/.runtime  ## the whole product on this machine: http://127.0.0.1:8000
	@$(BIN)/python manage.py up

test: setup  ## all tests; real servers where they can be started
	@$(BIN)/python -m pytest --cov --cov-report=term

check: setup  ## format, lint, types, layers, tests; CI runs these and infra-test
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

format: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup  ## the figures of docs/performance.md
	@$(BIN)/python manage.py bench batch --seconds 10
	@$(BIN)/python manage.py bench single --rate 1000 --seconds 10
	@$(BIN)/python manage.py bench single --max --seconds 10
	@$(BIN)/python manage.py bench replay
	@$(BIN)/python manage.py bench read

faults: setup  ## kill processes and brokers under load; nothing may be lost or doubled
	@$(BIN)/python manage.py faults --kills 20
	@$(BIN)/python manage.py faults --kills 20 --services --broker-restarts 2

services: setup  ## the same product on Valkey, Kafka and documents, as local processes
	@$(BIN)/python manage.py up --services

mutants: setup  ## plant small bugs in the pure core, one by one; what no test feels is listed
	@$(BIN)/pip install --quiet --disable-pip-version-check mutmut==3.8.1
	@$(BIN)/mutmut run
	@$(BIN)/mutmut results

screenshots: setup  ## pictures of the real pages, into docs/images
	@$(BIN)/python manage.py screenshots

docs: setup  ## what is generated from the code
	@$(BIN)/python manage.py docs_generate

infra-test: setup  ## terraform, executed offline, against what the application says of itself
	@bash terraform/tools/infra_test.sh

deploy-test: setup  ## deploy/: manifests, and a real Kubernetes API if it is built (OMS_DEPLOY_TEST=1 builds it)
	@bash deploy/tools/deploy_test.sh

clean:
	rm -rf .venv data .coverage htmlcov
