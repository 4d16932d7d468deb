# The course's commands. Each one first sets up .venv, or finds that nothing is to do.

PYTHON ?= python3
VENV_PYTHON := .venv/bin/python
UV = $(dir $(VENV_PYTHON))uv

# The versions that are tested are those in .venv, whatever else the reader's shell points to.
unexport PYTHONPATH PYTHONHOME

NOTEBOOKS = $(wildcard notebooks/*.ipynb notebooks/*/*.ipynb)
LINT = $(VENV_PYTHON) -m ruff check . && $(VENV_PYTHON) -m ruff format --check .
# Unit tests run in several processes of one thread each. Each file stays in one process, for its
# models are built once. The plugin that runs notebooks would take two seconds to start.
UNIT_TESTS = TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 $(VENV_PYTHON) -m pytest -m "not slow" \
  -p no:nbval -n auto --maxprocesses=4 --dist=loadfile tests
SLOW_TESTS = $(VENV_PYTHON) -m pytest -m slow -n 2 --dist=loadfile --no-loadscope-reorder tests
COLAB_PYTHON ?= python3.13
COLAB_ENV = build/colab-env
BENCH_PYTHON ?= python3.11
BENCH_ENV = build/bench-env
STUDIES = $(sort $(wildcard benchmarks/studies/$(N)*.py))

.DEFAULT_GOAL := help
.PHONY: setup setup-lab may-start
.PHONY: help lab test check slow notebooks studies site slides bench bench-torch colab colab-test
.PHONY: matrix audit verdicts mutations release wheel lock third-party clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

# All that the tests and builders need; setup-lab: what a reader needs.
setup setup-lab:
	@"$(PYTHON)" -c "import sys" 2>/dev/null || { \
	  echo "'$(PYTHON)' does not start a Python, but the course needs Python" \
	    "$$(sed -n 's/^requires-python = "\(.*\)"/\1/p' pyproject.toml):" \
	    "name one that does, for example \`make lab PYTHON=python3.12\` or its full path." >&2; \
	  exit 1; }
	@"$(PYTHON)" tools/setup.py $(if $(filter setup-lab,$@),--lab)

# JupyterLab refuses root, unless an option or a file of its settings says otherwise.
may-start:
	@test "$$(id -u)" != 0 || test -n "$(filter --allow-root% --ServerApp.allow_root%,$(LAB_ARGS))" || \
	  grep -qs allow_root "$${JUPYTER_CONFIG_DIR:-$$HOME/.jupyter}"/*.* /etc/jupyter/*.* || { \
	  echo "JupyterLab does not start as root on its own: type" \
	    "\`make lab LAB_ARGS=--allow-root\`, or, in a container whose port 8888 is published," \
	    "\`make lab LAB_ARGS='--allow-root --ip=0.0.0.0'\`, and open the address that it prints." >&2; \
	  exit 1; }

lab: may-start setup-lab ## open the course in JupyterLab (LAB_ARGS=... goes to jupyter)
	@test -w "$$HOME" || { mkdir -p build/home && export HOME="$(CURDIR)/build/home"; }; \
	$(VENV_PYTHON) -m jupyterlab $(if $(filter --ip --ip=% --ServerApp.ip=%,$(LAB_ARGS)),,--ip=127.0.0.1) \
	  --ServerApp.root_dir=. $(LAB_ARGS) notebooks/00_start_here.ipynb

test: setup ## lint, all tests, and every notebook run again
	@$(LINT)
	$(UNIT_TESTS)
	$(SLOW_TESTS)
	@test -n "$(NOTEBOOKS)" || { echo "There is no notebook to test." >&2; exit 1; }
	TQDM_DISABLE=1 $(VENV_PYTHON) -m pytest --nbval-lax --nbval-current-env \
	  --nbval-cell-timeout=900 -p no:cacheprovider -n 2 --dist=loadscope $(NOTEBOOKS)

check: setup ## lint and unit tests alone
	@$(LINT)
	$(UNIT_TESTS)

slow: setup ## the slow tests alone: those that train, start processes, or open a browser
	$(SLOW_TESTS)

notebooks: setup ## build the notebooks that are out of date (N=04, N=deeper/03: that one)
	@$(VENV_PYTHON) tools/build_notebooks.py $(N)

studies: setup ## run the recorded studies again (N=04: those of lesson 04)
	@test -n "$(STUDIES)" || echo "There is no study$(if $(N), whose name starts with $(N))."
	@set -e; for study in $(STUDIES); do echo "$$study"; $(VENV_PYTHON) "$$study"; done

site: setup ## build the site into build/site (PDF=1: and a book; REPOSITORY=owner/name: links; SOLUTIONS=0: without)
	@$(VENV_PYTHON) tools/book.py $(if $(PDF),--pdf) $(if $(REPOSITORY),--repository "$(REPOSITORY)") \
	  $(if $(filter 0,$(SOLUTIONS)),--no-solutions)

slides: setup ## build the decks of slides into build/slides (N=04: that one; PDF=1: print them, too)
	@$(VENV_PYTHON) tools/slides.py $(N) $(if $(PDF),--pdf)

bench: setup ## measure us and our peers again (ONLY=images_per_second: that part; QUICK=1: a trial)
	@$(VENV_PYTHON) benchmarks/run.py --only "$(ONLY)" $(if $(QUICK),--quick)

bench-torch: ## install PyTorch for it, in an environment of its own (BENCH_PYTHON=python3.11)
	@test -x $(BENCH_ENV)/bin/python || "$(BENCH_PYTHON)" -m venv $(BENCH_ENV)
	@$(BENCH_ENV)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy

colab: setup ## write single notebooks for Colab to build/colab (REPOSITORY=owner/name TAG=v1.0: links)
	@$(VENV_PYTHON) tools/colab.py --repository "$(REPOSITORY)" --tag "$(TAG)"

colab-test: setup ## run some of them with the versions that Colab has (COLAB_PYTHON=python3.13)
	@test -x $(COLAB_ENV)/bin/python || "$(COLAB_PYTHON)" -m venv $(COLAB_ENV)
	@$(COLAB_ENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r tools/colab-versions.txt
	COLAB_ENV=$(COLAB_ENV)/bin/python $(VENV_PYTHON) -m pytest -m slow tests/test_colab.py

matrix: setup ## unit tests and two lessons on all Pythons and versions (ONLY=3.12: on that one)
	@$(VENV_PYTHON) tools/matrix.py $(ONLY)

audit: setup ## look for known vulnerabilities of the locked versions (needs a network)
	@$(UV) tool run pip-audit --requirement requirements.lock --require-hashes --no-deps \
	  --disable-pip

verdicts: setup ## by how much each verdict holds, in two hours (ARGS=... goes to the script)
	@$(VENV_PYTHON) tools/verdict_margins.py $(ARGS)

mutations: setup ## plant defects in the package: the unit tests must catch each (ONLY=blocks: those)
	@$(VENV_PYTHON) tools/mutations.py $(ONLY)

release: setup ## build all that a tag publishes into build/release (REPOSITORY=owner/name TAG=v0.2.0)
	@$(VENV_PYTHON) tools/release.py --repository "$(REPOSITORY)" --tag "$(TAG)"

wheel: setup ## pack the helper package, MNIST included, into one file in build/
	@rm -f build/resnet_lesson-*.whl
	@$(VENV_PYTHON) -m flit_core.wheel --outdir build >/dev/null
	@ls build/resnet_lesson-*.whl

LOCK = $(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 \
  --generate-hashes --only-binary :all: --emit-build-options --no-emit-index-url \
  --no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
lock: setup ## make both locks anew, the reader's and the whole (UPGRADE=1: with the newest versions)
	@$(LOCK) --all-extras -o requirements.lock
	@$(LOCK) --extra lab --constraints requirements.lock -o requirements-lab.lock

third-party: ## take scripts of others again, as tools/third_party/package.json says (needs npm)
	@cd tools/third_party && npm ci --loglevel=error --ignore-scripts && \
	  for file in $$(find marked mathjax reveal.js -type f); do cp "node_modules/$$file" "$$file"; done; \
	  status=$$?; rm -rf node_modules; exit $$status

clean: ## remove build/ and caches; .venv stays
	@rm -rf build .pytest_cache .ruff_cache .hypothesis
	@find . -name .venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) \
	  -prune -exec rm -rf {} +
