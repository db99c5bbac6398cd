# All a newcomer types is `make demo` or `make test`. Needs Python 3.11 or newer with venv, and make.
# PARTHELAND_REQUIRE=influxd,browser turns the skip of a missing part into a failure; the environment hands it through.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
HTTP_PORT ?= 8080
MQTT_PORT ?= 1883
SOAK ?= 10
# Test files at once: most of them wait for real processes.
WORKERS ?= 2
PYTEST_ARGS ?=
# Options of the detection report; --write puts the tables into docs/detection.md.
DETECTION ?= --write

.PHONY: install test check format bench detection soak demo screenshots lock clean

install: $(STAMP)

# A new lock means a new environment: a package that was taken out must not linger and hide a missing dependency.
$(STAMP): requirements.lock pyproject.toml
	@python=; for name in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if $$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then echo "make install needs Python 3.11 or newer with venv (Debian: apt install python3-venv)" >&2; exit 1; fi; \
	"$$python" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)

test: install check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --ignore=tests/test_tidy.py --ignore=tests/test_lock.py $(PYTEST_ARGS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_tidy.py tests/test_lock.py

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Prints figures; docs/benchmarks.md keeps them with machine and command.
bench: install
	$(BIN)/python -m pytest -m bench -s -q --timeout=3600 tests/bench $(PYTEST_ARGS)

# What the rules find on played regions, against the truth. While tuning: make detection DETECTION="--seeds 1-9 --losses 0.1"
detection: install
	$(BIN)/python -m tests.detection $(DETECTION)

# The slow tests, $(SOAK) times as long: tests/support/soak.py reads the factor.
soak: install
	PARTHELAND_SOAK=$(SOAK) $(BIN)/python -m pytest -m slow --timeout=14400 $(PYTEST_ARGS)

# The real program on a simulated region in time-lapse; it says where to click and as whom. Ctrl-C ends it.
demo: install
	@$(BIN)/partheland demo --data var/demo --http-port $(HTTP_PORT) --mqtt-port $(MQTT_PORT)

# The README's pictures anew, from a demo; needs a Chromium.
screenshots: install
	PARTHELAND_REQUIRE=browser $(BIN)/python -m pytest -q tests/browser/test_screenshots.py
	mkdir -p docs/screenshots && cp var/screenshots/*.png docs/screenshots/

# For maintainers; the only target that needs uv. `make lock UPGRADE=--upgrade` takes newer versions.
lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --extra dev \
	  --custom-compile-command "make lock" $(UPGRADE) --quiet pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) var dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
