# The checks one by one. scripts/test makes the environment and an engine, then runs "make check" there.
BIN := .venv/bin

.PHONY: help check format lint types imports tests golden bench differential soak matrix page systemd faults install uninstall

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile

check: format lint types imports tests ## all of the following, but golden

format: ## is the code laid out by ruff?
	$(BIN)/ruff format --check

lint: ## what ruff objects to
	$(BIN)/ruff check

types: ## do the types fit?
	$(BIN)/mypy

imports: ## do imports only point down?
	$(BIN)/lint-imports

tests: ## all tests; needs an engine: scripts/engine exec make tests ARGS="..."
	$(BIN)/pytest -n 4 --dist worksteal $(ARGS)

golden: ## write the expected files anew from what the tests see
	$(BIN)/pytest --golden $(ARGS)

bench: ## side by side with Docker Compose: scripts/engine exec make bench ARGS="..."
	$(BIN)/python -m benchmarks.run $(ARGS)

matrix: ## the tests on every kind of engine (20 minutes, as root); writes docs/engines.md. One: make matrix ARGS=podman5
	$(BIN)/python -m tests.matrix.run $(ARGS)

page: ## the page in a real browser, after scripts/page (4 minutes); writes docs/images: make page ARGS=--golden
	scripts/page
	$(BIN)/pytest -q tests/page/browser.py $(ARGS)

systemd: ## the units under a real systemd (three minutes, as root): scripts/engine exec make systemd
	$(BIN)/python -m tests.systemd.run $(ARGS)

install: ## program, units, user and configuration into the system: see systemd/install help
	systemd/install

uninstall: ## and out of it
	systemd/install --uninstall

differential: ## 230 real projects beside Docker Compose: make differential CORPUS=... ARGS="--write"
	$(BIN)/python -m tests.differential.run $(CORPUS) $(ARGS)

faults: ## every call of every scenario goes wrong in every way, then the environment (40 minutes, as root): scripts/engine exec make faults [ARGS="--share 20"]
	$(BIN)/python -m tests.faults.run $(ARGS)

soak: ## a thousand random specs, then an adversary against `run`, as root: scripts/engine exec make soak [EXAMPLES=1000 SECONDS=600 SEED=1]
	RECONCILER_EXAMPLES=$(or $(EXAMPLES),1000) RECONCILER_SEED=$(or $(SEED),1) $(BIN)/pytest -q -n 4 --hypothesis-show-statistics tests/options/test_combinations.py
	$(BIN)/python -m tests.soak.adversary --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1)
