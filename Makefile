# napari-dextr. `make` lists what there is; everything is installed into .venv, nothing outside this folder but pip's cache.
#
#   make demo PYTHON=/path/to/python     another Python, 3.10 or newer
#   make test ARGS="-k prompt -x"        arguments for pytest; ARGS="-n 0" runs it all in one process
#   make demo CONSTRAINTS=constraints/ci.txt    the exact versions that CI tests with
#   make test VENV=.venv-lowest PYTHON=python3.10 CONSTRAINTS=constraints/lowest.txt     the lowest that are supported
#   make test VENV=.venv-0.7 PYTHON=python3.12 PIP_FLAGS="napari==0.7.*"    any other version, in a folder of its own

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test napari bench lint format types manifest docs screenshots wheel stress clean distclean

VENV := .venv
ARGS ?=
CONSTRAINTS ?=
PIP_FLAGS ?=

ifeq ($(OS),Windows_NT)
  BIN := $(VENV)/Scripts
  PYTHON ?= py -3
  WITH_SCREEN :=
else
  BIN := $(VENV)/bin
  # The first Python that runs and is new enough (a name on the PATH may be a shim without a Python behind it).
  PYTHON ?= $(shell for python in python3 python python3.13 python3.12 python3.11 python3.10; do \
    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then echo $$python; break; fi; done)
  WITH_SCREEN := sh tools/with_screen.sh
endif
PY := $(BIN)/python

# What is compiled is kept, in .venv, also where the environment says not to: else each process of the tests, and each
# `make demo`, compiles torch and napari anew (15 to 20 seconds of a processor).
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache

# Byte-compiling all of torch takes longer than compiling what is used when it is used.
INSTALL = $(PY) -m pip install --no-compile --disable-pip-version-check --no-warn-script-location $(PIP_FLAGS) \
  $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) --editable
DONE = $(PY) -c "import pathlib, sys; [pathlib.Path(path).touch() for path in sys.argv[1:]]" $@

help:
	@echo "make demo      install, then segment objects of a photograph from four clicks each (no screen needed)"
	@echo "make test      install the test tools as well, then run every test"
	@echo "make napari    open napari on a photograph with the Annotate widget docked"
	@echo "make bench     how fast the models answer on this machine"
	@echo "make lint      check style (make format mends it); make types: check types; make manifest: check napari.yaml"
	@echo "make docs      build the documentation into site/, and check every link in it"
	@echo "make screenshots   make the pictures of the README and the documentation anew, on a virtual screen"
	@echo "make wheel     build the sdist and the wheel into dist/, twice and alike, and look inside"
	@echo "make stress    thousands of hostile inputs and interrupted writes; writes docs/stress.md"
	@echo "make clean     remove what was built; make distclean: .venv as well"

$(VENV)/pyvenv.cfg:
	$(if $(PYTHON),,$(error No Python 3.10 or newer was found; install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python))
	@$(PYTHON) -c "import sys; sys.exit(None if sys.version_info >= (3, 10) else 'napari-dextr needs Python 3.10 or newer; name one with PYTHON=/path/to/python')"
	@echo "== Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) | $(VENV)/pyvenv.cfg
	@echo "== Installing napari-dextr into $(VENV) (PyTorch is large: a few minutes the first time)"
	@$(INSTALL) .
	@$(DONE)

$(VENV)/.installed-qt: $(VENV)/.installed
	@echo "== Installing Qt for the viewer"
	@$(INSTALL) ".[all]"
	@$(DONE)

# In one go where nothing is installed yet: pip resolves everything anew each time.
$(VENV)/.installed-test: pyproject.toml $(CONSTRAINTS) | $(VENV)/pyvenv.cfg
	@echo "== Installing napari-dextr and the test tools into $(VENV) (PyTorch is large: a few minutes the first time)"
	@$(INSTALL) ".[test]"
	@$(DONE) $(VENV)/.installed

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "== Installing the development tools"
	@$(INSTALL) ".[dev]"
	@$(DONE)

$(VENV)/.installed-docs: $(VENV)/.installed
	@echo "== Installing what builds the documentation"
	@$(INSTALL) ".[docs]"
	@$(DONE)

demo: $(VENV)/.installed
	@echo "== Segmenting objects of a photograph from their extreme points"
	@$(BIN)/napari-dextr demo --out demo-output $(ARGS)

test: $(VENV)/.installed-test
	@echo "== Running the tests"
	@$(WITH_SCREEN) $(PY) -m pytest -n auto --dist worksteal $(ARGS)

napari: $(VENV)/.installed-qt
	@echo "== Opening napari"
	@$(PY) -m napari_dextr.widgets.launch $(ARGS)

bench: $(VENV)/.installed
	@echo "== Measuring on this machine"
	@$(BIN)/napari-dextr bench $(ARGS)

lint: $(VENV)/.installed-dev
	@echo "== Style"
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: $(VENV)/.installed-dev
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

types: $(VENV)/.installed-dev
	@echo "== Types"
	@$(PY) -m mypy

manifest: $(VENV)/.installed-test
	@echo "== Manifest"
	@$(PY) -m npe2 validate --imports napari-dextr

docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/.installed-docs
	@echo "== Documentation"
	@$(PY) -m mkdocs build --strict --quiet --clean
	@$(PY) tools/check_site.py site

screenshots: $(VENV)/.installed-test
	@echo "== Pictures (a few minutes)"
	@$(WITH_SCREEN) $(PY) docs/screenshots.py $(ARGS)

wheel: $(VENV)/.installed-dev
	@echo "== Wheel"
	@$(PY) -c "import shutil; shutil.rmtree('dist', ignore_errors=True)"
	@$(PY) tools/build_twice.py dist
	@$(PY) -m twine check --strict dist/*
	@$(PY) tools/check_wheel.py dist

stress: $(VENV)/.installed-test
	@echo "== Hostile inputs and interrupted work (about half an hour)"
	@$(WITH_SCREEN) $(PY) tools/stress --json stress.json --page docs/stress.md $(ARGS)

clean:
	@$(if $(PYTHON),$(PYTHON),python) -c "import pathlib, shutil; \
	[shutil.rmtree(path, ignore_errors=True) for name in ('dist', 'build', 'site', 'demo-output', '.mypy_cache', '.ruff_cache', '.pytest_cache', '.hypothesis') \
	for path in [pathlib.Path(name)]]; \
	[shutil.rmtree(path, ignore_errors=True) for top in ('src', 'tests', 'tools', 'docs') for path in pathlib.Path(top).rglob('__pycache__')]"

distclean: clean
	@$(if $(PYTHON),$(PYTHON),python) -c "import shutil; shutil.rmtree('$(VENV)', ignore_errors=True)"
