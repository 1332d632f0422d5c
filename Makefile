# make help lists the targets. Everything runs in a virtual environment of its own, .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest
# A file's tests stay on one worker, which makes what they share once.
SPREAD  = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Tests make a thousand databases: in memory, where there is much of it and programs may be run from there.
MEMORY := $(shell grep -qs '^[^ ]* /dev/shm [^ ]* [^ ]*noexec' /proc/mounts \
  || df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 6000000 { print "/dev/shm" }')
IN_MEMORY = $(if $(MEMORY),TMPDIR=$(MEMORY))
KINDS ?= installed embedded
# One of them, or container; else the first there is.
KIND ?=
# One worker a core, four at most: each has a Postgres of its own.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() or 1))')

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-heavy lint plans plans-update plans-repeat test-plans test-client test-operations \
  mutate fuzz coverage bench bench-long year load load-hour figures test-http test-container matrix constraints \
  vendor clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(READY) ## make the virtual environment

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "eventlive-db needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY) ## run a webinar with a few hundred viewers on an embedded Postgres
	@$(BIN)/eventlive-db demo --kind embedded

test: $(READY) ## pass the tests
	@$(IN_MEMORY) $(PYTEST) $(SPREAD) -m "not heavy"

test-heavy: $(READY) ## the tests that make test leaves out: larger sizes, kills and restarts, the scenarios in small
	@$(IN_MEMORY) $(PYTEST) $(SPREAD) $(if $(KIND),--pg-kind $(KIND)) -m heavy tests

lint: $(READY) ## check style, types and SQL
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/eventlive-db lint sql

SUITE := tests/plans/eventlive/plans.toml

plans: $(READY) ## what each call costs at 1,000 to 1,000,000 rows, all of them filled; a page with every plan
	@mkdir -p build
	@$(BIN)/eventlive-db plans check $(SUITE) --real 1000000 --html build/plans.html $(if $(KIND),--kind $(KIND))
	@echo "Every plan: build/plans.html"

plans-update: $(READY) ## write the snapshots of the plans for each Postgres at hand (KINDS="installed embedded")
	@for kind in $(KINDS); do $(IN_MEMORY) $(BIN)/eventlive-db plans update $(SUITE) --kind $$kind || exit 1; done

plans-repeat: $(READY) ## judge the plans 200 times, in databases built anew each time
	@$(IN_MEMORY) $(BIN)/eventlive-db plans check $(SUITE) --repeat 200 --complete $(if $(KIND),--kind $(KIND))

test-plans: $(READY) ## the tests of the plan guard, and the plans of every function
	@$(IN_MEMORY) $(PYTEST) $(SPREAD) $(if $(KIND),--pg-kind $(KIND)) tests/plans

test-client: $(READY) ## the tests of the Python client: real failures, a real pooler (KIND=installed)
	@$(IN_MEMORY) $(PYTEST) $(SPREAD) $(if $(KIND),--pg-kind $(KIND)) tests/client

test-operations: $(READY) ## the tests of jobs, logs, alarms and the verdict on a release (KIND=installed, with pg_cron)
	@$(IN_MEMORY) $(PYTEST) $(SPREAD) $(if $(KIND),--pg-kind $(KIND)) tests/jobs tests/logs tests/watch tests/verify

mutate: $(READY) ## break the schema in many ways, and see that a budget notices each
	@$(IN_MEMORY) $(BIN)/eventlive-db plans mutate $(SUITE) $(if $(KIND),--kind $(KIND))

# Each fuzzer makes about so many calls; the same seed makes the same ones.
FUZZ_CALLS ?= 5000
FUZZ_SEED ?= $(shell $(PYTHON) -c 'import secrets; print(secrets.randbelow(10**9))')

fuzz: FUZZ_SEED := $(FUZZ_SEED)
fuzz: $(READY) ## thousands of calls with anything as arguments, and what came of them (FUZZ_SEED=n repeats a run)
	@echo "To repeat this run: make fuzz FUZZ_CALLS=$(FUZZ_CALLS) FUZZ_SEED=$(FUZZ_SEED)$(if $(KIND), KIND=$(KIND))"
	@FUZZ_CALLS=$(FUZZ_CALLS) FUZZ_SEED=$(FUZZ_SEED) $(IN_MEMORY) $(PYTEST) $(SPREAD) --timeout 3600 \
	  $(if $(KIND),--pg-kind $(KIND)) tests/fuzz $(wildcard tests/http/test_fuzz_http.py)

# The heavy tests too: some statements run only there. Left out are the larger sizes: of the same call 100,000 times, a
# fifth of a gigabyte of log would say no more.
coverage: $(READY) ## the SQL and migration tests, and which statements of the functions they run
	@rm -rf build/sql-coverage
	@$(IN_MEMORY) $(PYTEST) $(SPREAD) --sql-coverage build/sql-coverage $(if $(KIND),--pg-kind $(KIND)) \
	  -m "not large" tests/sql tests/migrate
	@$(BIN)/eventlive-db plans coverage --suite $(SUITE) --schema eventlive --fail-under 95 build/sql-coverage/*.log

# Where it is asked for, a part that is missing is a failure; make test leaves out what needs it.
test-http: $(READY) ## the tests through a real PostgREST, with supabase-js and the Python client (KIND=installed)
	@$(BIN)/python -m tests.support.http_parts
	@EVENTLIVE_HTTP_REQUIRED=1 $(IN_MEMORY) $(PYTEST) $(SPREAD) $(if $(KIND),--pg-kind $(KIND)) tests/http

bench: $(READY) ## what things cost, measured side by side in one run, and heartbeats beside each job; figures in build/
	@$(IN_MEMORY) $(BIN)/eventlive-db bench --out build/bench.json $(if $(KIND),--kind $(KIND))
	@$(IN_MEMORY) $(BIN)/eventlive-db load year --rows 300000 --pieces 5000 --out build/bench-jobs.json $(if $(KIND),--kind $(KIND))

bench-long: $(READY) ## pings among up to ten million, beside a held snapshot, and of a million viewers: forty minutes, 6 GB
	@$(IN_MEMORY) $(BIN)/eventlive-db bench growth snapshot million --out build/bench-long.json $(if $(KIND),--kind $(KIND))

year: $(READY) ## rotate ten million events beside heartbeats, and every job; the longest lock, in build/year.json
	@mkdir -p build
	@$(IN_MEMORY) $(BIN)/eventlive-db load year --out build/year.json $(if $(KIND),--kind $(KIND))

# The scenarios take PostgREST from where the HTTP tests have it.
SCENARIO = EVENTLIVE_POSTGREST=$$($(BIN)/python -m tests.support.http_parts --postgrest) $(IN_MEMORY) \
  $(BIN)/eventlive-db load $(1) $(if $(KIND),--kind $(KIND)) --out build/load/$(2).json --html build/load/$(2).html

load: $(READY) ## S1, S2 and S3 through PostgREST and psycopg, faster than life; half an hour; pages in build/load
	@$(call SCENARIO,s1 --speed 10,s1)
	@$(call SCENARIO,s3,s3)
	@$(call SCENARIO,s2,s2)

load-hour: $(READY) ## S1 in real time, an hour and a few minutes; its page in build/load
	@$(call SCENARIO,s1,s1-hour)

figures: $(READY) ## write the figures in README and docs anew, from the results files in docs/results
	@$(BIN)/python -m tests.support.figures

test-container: $(READY) ## the SQL, migration and plan tests on a Postgres in a container (needs a container engine)
	@$(PYTEST) $(SPREAD) --pg-kind container \
	  tests/sql tests/migrate tests/plans tests/server/test_database.py

matrix: $(READY) ## the SQL, migration and plan tests on each Postgres at hand (KINDS="installed embedded")
	@for kind in $(KINDS); do echo "== $$kind"; \
	  $(IN_MEMORY) $(PYTEST) $(SPREAD) --pg-kind $$kind tests/sql tests/migrate tests/plans || exit 1; \
	done

constraints: ## pin the newest versions of all that the tests use
	@rm -rf .make && $(PYTHON) -m venv .make
	@.make/bin/python -m pip install --quiet --editable '.[dev]'
	@{ echo "# Versions that the tests were run with. make constraints renews them."; \
	   .make/bin/python -m pip freeze --exclude-editable; } > constraints.txt
	@rm -rf .make

vendor: $(READY) ## copy what draws the plans in the HTML report from npm (needs npm)
	@$(BIN)/python eventlive_db/plans/report/vendor/collect.py

clean: ## remove what the targets made
	rm -rf $(VENV) .make build dist .pytest_cache .mypy_cache .ruff_cache tests/http/node_modules
