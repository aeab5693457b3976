# Two commands do everything: `make demo` runs the main job, `make test` passes the tests.
# Each installs what it needs into .venv first: exactly what requirements.lock names, by its hashes.

.DEFAULT_GOAL := help
.PHONY: help demo test check soak bench lock

BIN := .venv/bin
INSTALLED := .venv/.installed

help:
	@echo "make demo    run the main job against simulated servers, and check it"
	@echo "make test    run the tests"
	@echo "make check   ruff and mypy --strict"
	@echo "make soak    300 times kill -9 over both vendors, and long fuzzing (an hour)"
	@echo "make bench   what it costs, beside a plain asyncio service (15 minutes; on a machine that does nothing else)"
	@echo "make lock    renew requirements.lock (needs uv)"

demo: $(INSTALLED)
	$(BIN)/tokenweir demo

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

soak: $(INSTALLED)
	$(BIN)/python -m tests.system.harness --sessions 200 --kills 100 --runs 3
	$(BIN)/python -m tests.system.harness --sessions 60 --kills 20 --resumes exact
	$(BIN)/python -m tests.system.harness --sessions 60 --kills 20 --resumes repeats
	TOKENWEIR_KILLS=25 $(BIN)/python -m pytest --timeout 0 -s tests/system/test_metrics_kills.py
	TOKENWEIR_EXAMPLES=20000 $(BIN)/python -m pytest --timeout 0 tests/properties
	$(BIN)/python -m tests.properties.moderation_search --examples 100000 --seed $$(date +%s)

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

lock:
	uv pip compile --quiet --python-version 3.11 --generate-hashes --universal --no-emit-index-url --all-extras \
		--upgrade pyproject.toml --output-file requirements.lock

# uv where there is one, else pip; Python 3.12 or 3.11, whichever answers first.
$(INSTALLED): requirements.lock pyproject.toml
	@set -e; \
	for python in python3.12 python3.11 python3 python; do \
		if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' >/dev/null 2>&1; \
		then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "tokenweir needs Python 3.11 or 3.12 on the PATH" >&2; exit 1; fi; \
	rm -f $@; \
	if command -v uv >/dev/null 2>&1; then \
		echo "Installing into .venv with uv and $$found, from requirements.lock"; \
		uv venv --quiet --allow-existing --python "$$($$found -c 'import sys; print(sys.executable)')" .venv; \
		uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock; \
		uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .; \
	else \
		echo "Installing into .venv with pip and $$found, from requirements.lock (a minute or two)"; \
		$$found -m venv .venv; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .; \
	fi; \
	touch $@
