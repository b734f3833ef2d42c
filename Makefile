# Every command of the project. Each sets up what it needs; none needs root, a tty or Docker.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON := .venv/bin/python
INSTALLED := .venv/.installed
PORT ?= 8000
MINUTES ?= 10
EXAMPLES ?= 100
N ?= 60

# What Python has compiled is kept, also where the environment says not to (images do): every process of
# the tests would compile it all again, which takes longer than what most of them are for.
unexport PYTHONDONTWRITEBYTECODE

# Tests have servers of their own, so that they never touch the data of `make run`.
TEST_HOME := $(CURDIR)/var/test
# Four at once for two cores: tests of real processes wait a lot.
AT_ONCE := -q -n 4 --dist loadfile --no-loadscope-reorder
TEMPLATES := $(wildcard */templates)

.PHONY: help setup demo run browser rabbitmq alertmanager icaljs test fuzz check lint lock languages screenshots audit chaos mutate stop clean \
	bench-fanout bench-small bench-aged bench-sizes bench-latency bench-lanes bench-intake bench-welcome bench-streams bench-timers bench-stop bench-waiting bench-heartbeats bench-schedules bench-storm \
	bench-matching bench-evening bench-tracing bench-consume bench-hostile bench-guesses bench-console

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

setup: $(INSTALLED) ## Make .venv with the locked dependencies (every other target does it too)

demo: $(INSTALLED) ## Send 200 real alerts through the whole product and check who was told
	@$(PYTHON) manage.py demo

run: $(INSTALLED) ## Run everything until Ctrl-C, and print URLs, a log-in and an API key (PORT=8000)
	@$(PYTHON) manage.py runstack --port $(PORT)

browser: ## Install Chromium for the browser tests, where that asks for nothing (make test does it too)
	@$(install_browser)

rabbitmq: ## Install RabbitMQ for the tests of brokers, where that asks for nothing (make test does it too)
	@$(install_rabbitmq)

alertmanager: ## Install Alertmanager for the tests of the intake, where that asks for nothing (make test does it too)
	@$(install_alertmanager)

icaljs: ## Install ical.js for the tests of calendars, where there is npm (make test does it too)
	@$(install_icaljs)

test: $(INSTALLED) browser rabbitmq alertmanager icaljs ## Run every test
	@trap '$(stop_test_servers)' EXIT; \
	$(PYTHON) -m pytest $(AT_ONCE) || { \
		echo 'What to do: run the failing test alone: .venv/bin/python -m pytest PATH::NAME'; exit 1; }

fuzz: $(INSTALLED) ## Make up EXAMPLES=100 requests for every operation of the API, as every role
	@trap '$(stop_test_servers)' EXIT; \
	FUZZ_EXAMPLES=$(EXAMPLES) $(PYTHON) -m pytest $(AT_ONCE) --timeout 3600 \
		tests/notifications/api/test_schema.py tests/strings/test_roles.py

# Lint beside the tests, as mypy is one process; three at once, since these tests hardly wait.
check: $(INSTALLED) ## Lint, types, contracts, migrations, schema, templates; tests but slow ones, flows, browsers, brokers
	@trap '$(stop_test_servers); rm -f "$$linted"' EXIT; linted=$$(mktemp); $(lint_steps); \
	lint_steps >"$$linted" & \
	$(PYTHON) -m pytest $(AT_ONCE) -n 3 -m 'not flow and not slow'; tested=$$?; \
	wait $$! && passed=yes; cat "$$linted"; \
	[ $$tested = 0 ] || echo 'What to do: run the failing test alone: .venv/bin/python -m pytest PATH::NAME'; \
	[ $$tested = 0 ] && [ "$$passed" = yes ]

lint: $(INSTALLED) ## What make check does beside its tests
	@trap '$(stop_test_servers)' EXIT; $(lint_steps); lint_steps

lock: ## Write requirements.lock and requirements-dev.lock anew from pyproject.toml (needs uv)
	@uv=$$(command -v uv || ls .venv/bin/uv 2>/dev/null) || { \
		echo 'uv is missing. What to do: pip install uv'; exit 1; }; \
	compile() { "$$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--extra meet --extra archive --no-emit-index-url --no-emit-find-links --no-header "$$@" pyproject.toml; }; \
	compile --group dev --group embedded --output-file requirements-dev.lock && \
	compile --constraint requirements-dev.lock --output-file requirements.lock

screenshots: $(INSTALLED) browser ## Take the pictures of the pages in docs/images anew
	@trap '$(stop_test_servers)' EXIT; \
	TOCSIN_HOME="$(TEST_HOME)" DJANGO_SETTINGS_MODULE=tests.settings $(PYTHON) -m tests.screenshots

languages: $(INSTALLED) ## Collect what pages say into the catalogues, say what is not translated, and compile them
	@$(PYTHON) -m tests.languages

# An index without advisories is no fault of ours; a hole is.
audit: ## Look for known holes in what production installs (needs pip-audit and the internet)
	@audit=$$(command -v pip-audit || ls .venv/bin/pip-audit 2>/dev/null) || { \
		echo 'Not checked for known holes: there is no pip-audit. What to do: pip install pip-audit'; exit 0; }; \
	if ! output=$$("$$audit" --disable-pip --require-hashes --progress-spinner off -r requirements.lock 2>&1); \
	then echo "$$output"; echo 'What to do: raise what it names in pyproject.toml, then make lock'; exit 1; fi; \
	case "$$output" in *'could not be audited'*) echo 'Not checked for known holes: there are no advisories here.';; \
		*) echo 'No known holes in requirements.lock.';; esac

chaos: $(INSTALLED) ## Kill parts, fail over, fill disks … for a while, and prove that nothing is lost (MINUTES=10)
	@$(PYTHON) -m tests.flows.chaos --minutes $(MINUTES) $(if $(ONLY),--only $(ONLY))

bench-fanout: $(INSTALLED) ## Benchmark: one alert to 10,000 members
	@$(PYTHON) -m benchmarks.fanout

bench-sizes: $(INSTALLED) ## Benchmark: one alert to 1,000, 10,000 and 100,000 members
	@$(PYTHON) -m benchmarks.sizes

bench-latency: $(INSTALLED) ## Benchmark: from a POST to the arrival, at 50 alerts a second
	@$(PYTHON) -m benchmarks.latency

bench-small: $(INSTALLED) ## Benchmark: alerts to five people each, at 50 a second and more
	@$(PYTHON) -m benchmarks.small

bench-aged: $(INSTALLED) ## Benchmark: with 20 million past deliveries, and beside a transaction held open
	@$(PYTHON) -m benchmarks.aged

bench-lanes: $(INSTALLED) ## Benchmark: what a destination that hangs costs the others
	@$(PYTHON) -m benchmarks.lanes

bench-intake: $(INSTALLED) ## Benchmark: alerts accepted a second
	@$(PYTHON) -m benchmarks.intake

bench-welcome: $(INSTALLED) ## Benchmark: from the answer to a registration to the welcome in the inbox
	@$(PYTHON) -m benchmarks.welcome

bench-streams: $(INSTALLED) ## Benchmark: 2,000 open streams, 100 notices a second
	@$(PYTHON) -m benchmarks.streams

bench-timers: $(INSTALLED) ## Benchmark: 10,000 notifications due in the same second, and over a minute
	@$(PYTHON) -m benchmarks.timers

bench-stop: $(INSTALLED) ## Benchmark: no send begins after the answer to a stop
	@$(PYTHON) -m benchmarks.stop

bench-waiting: $(INSTALLED) ## Benchmark: what 100,000 processes that wait for tomorrow cost
	@$(PYTHON) -m benchmarks.waiting

bench-heartbeats: $(INSTALLED) ## Benchmark: what 100,000 heartbeats cost beyond their pings, and how soon one is missed
	@$(PYTHON) -m benchmarks.heartbeats

bench-schedules: $(INSTALLED) ## Benchmark: who is on call, and a month's final row, with 1,000 schedules
	@$(PYTHON) -m benchmarks.schedules

bench-storm: $(INSTALLED) ## Benchmark: what four integrations report in a storm (OCCURRENCES=50000 KEYS=5000 OVER=60)
	@$(PYTHON) -m benchmarks.storm --occurrences $(or $(OCCURRENCES),50000) --keys $(or $(KEYS),5000) --seconds $(or $(OVER),60)

bench-matching: $(INSTALLED) ## Benchmark: the groups of an evening, against the original's and against a bound
	@$(PYTHON) -m benchmarks.matching

bench-evening: $(INSTALLED) ## Benchmark: 50 evenings of 20 people at once, links on time
	@$(PYTHON) -m benchmarks.evening

bench-tracing: $(INSTALLED) ## Benchmark: intake and search of a made-up town (ROWS=10000000)
	@$(PYTHON) -m benchmarks.tracing --rows $(or $(ROWS),10000000)

bench-consume: $(INSTALLED) rabbitmq ## Benchmark: 20,000 events from RabbitMQ to their committed effect
	@$(PYTHON) -m benchmarks.consume

bench-hostile: $(INSTALLED) ## Benchmark: bodies that mean harm, and what they cost everybody else
	@$(PYTHON) -m benchmarks.hostile

bench-guesses: $(INSTALLED) ## Benchmark: 100,000 guesses of passwords, and 200 people who log in meanwhile
	@$(PYTHON) -m benchmarks.guesses

bench-console: $(INSTALLED) ## Benchmark: 200 open consoles at 200 alerts/s; lists and searches over 20 million deliveries
	@$(PYTHON) -m benchmarks.console

mutate: $(INSTALLED) ## Put N=60 faults into the product, one at a time: nine of ten must turn a test red (SEED=7)
	@$(PYTHON) -m tests.mutants --number $(N) $(if $(SEED),--seed $(SEED))

stop: ## Stop the embedded servers (data stays)
	@if [ -x $(PYTHON) ]; then for lock in $(wildcard var/*/embedded.lock var/embedded.lock); do \
		TOCSIN_HOME="$(CURDIR)/$$(dirname $$lock)" $(PYTHON) -m config.embedded stop; done; fi

clean: ## Stop the embedded servers; delete their data, .venv and caches
	@set -e; if [ -x $(PYTHON) ]; then for home in var/*/ var; do \
		TOCSIN_HOME="$(CURDIR)/$${home%/}" $(PYTHON) -m config.embedded destroy; done; fi; \
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis; \
	find . -name __pycache__ -type d -prune -exec rm -rf {} +; \
	echo 'Clean: the next command sets everything up again.'

$(INSTALLED): requirements-dev.lock requirements-data.lock
	@$(find_python); $(make_venv); \
	echo 'Installing the locked dependencies (about a minute, once) …'; \
	install() { { command -v uv >/dev/null && \
			uv pip install --quiet --compile-bytecode --python $(PYTHON) --require-hashes "$$@"; } || \
		$(PYTHON) -m pip install --quiet --require-hashes --no-input --disable-pip-version-check \
			--root-user-action=ignore "$$@"; }; \
	if ! { install -r requirements-dev.lock && install --no-deps -r requirements-data.lock; }; then \
		echo 'Installing failed. What to do: see that this machine reaches a Python package index'; \
		echo '(pip.conf or PIP_INDEX_URL names it), then run the same command again.'; exit 1; \
	fi; touch $@

# --- Pieces of shell --------------------------------------------------------------------------------

stop_test_servers = TOCSIN_HOME="$(TEST_HOME)" $(PYTHON) -m config.embedded stop

# step NAME HINT COMMAND…: one line a step; the output and the hint only when it fails.
define_step = export TOCSIN_HOME='$(TEST_HOME)'; \
	step() { local name="$$1" hint="$$2" output; shift 2; printf '  %-20s' "$$name"; \
		if output=$$("$$@" 2>&1); then echo ok; \
		else echo FAILED; echo "$$output"; echo "What to do: $$hint"; return 1; fi; }

lint_steps = $(define_step); lint_steps() { \
	step 'ruff check' 'correct what it names; "$(PYTHON) -m ruff check --fix" does the simple ones' \
		$(PYTHON) -m ruff check . && \
	step 'ruff format' 'run "$(PYTHON) -m ruff format"' \
		$(PYTHON) -m ruff format --check . && \
	step 'mypy' 'correct the types that it names' \
		$(PYTHON) -m mypy && \
	step 'import contracts' 'imports point down: see [tool.importlinter] in pyproject.toml' \
		.venv/bin/lint-imports && \
	step 'migrations' 'run "$(PYTHON) manage.py makemigrations" and commit the result' \
		$(PYTHON) manage.py makemigrations --check --dry-run && \
	step 'API schema' 'annotate the views it names with extend_schema' \
		$(PYTHON) manage.py spectacular --validate --fail-on-warn --file /dev/null && \
	step 'templates' 'correct the templates that it names' \
		$(if $(TEMPLATES),$(PYTHON) -m djlint --lint --quiet $(TEMPLATES),true); }

# Never fails: without a browser its tests are skipped, and say why.
install_browser = found() { for name in chromium chromium-browser google-chrome-stable google-chrome; do \
		if command -v "$$name" >/dev/null; then return 0; fi; done; return 1; }; \
	apt() { DEBIAN_FRONTEND=noninteractive timeout 900 apt-get -qq -o DPkg::Lock::Timeout=60 "$$@" \
		</dev/null >/dev/null 2>&1; }; \
	if ! found && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo 'Installing Chromium for the browser tests (once) …'; \
		apt install -y --no-install-recommends chromium || \
			{ apt update; apt install -y --no-install-recommends chromium; }; fi; \
	if ! found; then echo 'There is no Chromium, so the browser tests will be skipped.'; \
		echo 'What to do: apt-get install --no-install-recommends chromium (as root)'; fi

has_rabbitmq = [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]

has_alertmanager = command -v prometheus-alertmanager >/dev/null

# Never fails: without it the tests at it are skipped, and say why. The package's own service is kept from
# starting, and is not touched where it runs already: tests start one of their own.
# 1: whether it is there; 2: its package; 3: what it is and for which tests.
install_service = apt() { DEBIAN_FRONTEND=noninteractive timeout 900 apt-get -qq -o DPkg::Lock::Timeout=60 "$$@" \
		</dev/null >/dev/null 2>&1; }; \
	if ! $(1) && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo 'Installing $(3) (once) …'; \
		policy=/usr/sbin/policy-rc.d; \
		if [ ! -e $$policy ]; then printf '\043!/bin/sh\nexit 101\n' >$$policy; chmod +x $$policy; \
			trap "rm -f $$policy" EXIT; fi; \
		apt install -y --no-install-recommends $(2) || \
			{ apt update; apt install -y --no-install-recommends $(2); }; fi

install_alertmanager = $(call install_service,$(has_alertmanager),prometheus-alertmanager,Alertmanager for the tests of the intake); \
	if ! $(has_alertmanager); then \
		echo 'There is no Alertmanager, so the tests at a real one will be skipped.'; \
		echo 'What to do: apt-get install --no-install-recommends prometheus-alertmanager (as root)'; fi

install_rabbitmq = $(call install_service,$(has_rabbitmq),rabbitmq-server,RabbitMQ for the tests of brokers); \
	if ! $(has_rabbitmq); then \
		echo 'There is no RabbitMQ, so the tests at a real one will be skipped.'; \
		echo 'What to do: apt-get install --no-install-recommends rabbitmq-server (as root)'; fi

has_icaljs = [ -f var/icaljs/node_modules/ical.js/dist/ical.js ]

# Never fails, as above; nothing of what it installs is run while it is installed.
install_icaljs = if ! $(has_icaljs) && command -v npm >/dev/null; then \
		mkdir -p var/icaljs && cp tests/servers/icaljs/package*.json var/icaljs/ && \
		timeout 120 npm ci --silent --ignore-scripts --no-audit --no-fund --prefix var/icaljs \
			</dev/null >/dev/null 2>&1; fi; \
	if ! $(has_icaljs); then \
		echo 'There is no ical.js, so the tests that read calendars with it will be skipped.'; \
		echo 'What to do: install Node.js with npm, see that it reaches a registry, then: make icaljs'; fi

# Sets $python to one of 3.11 or later that can make virtual environments, or to nothing.
find_python = python=''; for name in python3 python3.14 python3.13 python3.12 python3.11; do \
		if "$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then python="$$name"; break; fi; done

make_venv = if ! $(PYTHON) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		if [ -n "$$python" ]; then echo "Making .venv with $$("$$python" --version) …"; \
			rm -rf .venv; "$$python" -m venv .venv || exit 1; \
		elif command -v uv >/dev/null; then rm -rf .venv; uv venv --seed --python '>=3.11' .venv || exit 1; \
		else $(explain_python); exit 1; fi; fi

explain_python = echo 'Python 3.11 or later with its venv module is needed, and none was found.'; \
	if python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo 'python3 is new enough but lacks venv/ensurepip. What to do: apt install python3-venv'; \
	else echo 'What to do: apt install python3 python3-venv (Debian 12 or later), or install uv'; fi
