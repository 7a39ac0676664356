# make test | test-jazzy | demo | lint | clean. Needs only Python 3.10 or newer (with venv) and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

JAZZY := .venv-jazzy

# Processes that test at once. What measures time, rate or loss runs after them, alone.
WORKERS ?= 2
AT_ONCE := -n $(WORKERS) --dist worksteal -m 'not alone'

.PHONY: test test-jazzy demo lint clean

test: lint
	$(BIN)/python -m pytest $(AT_ONCE)
	$(BIN)/python -m pytest -m alone

# The nodes on Jazzy's wheels, which need an environment of their own.
test-jazzy: $(JAZZY)/.ready
	$(JAZZY)/bin/python -m pytest test/nodes $(AT_ONCE) $(JAZZY_OPTIONS)
	$(JAZZY)/bin/python -m pytest test/nodes -m alone $(JAZZY_OPTIONS)

demo: $(READY)
	$(BIN)/monodepth demo

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A sourced ROS 2 brings its own Python packages, and must not be mixed with those from PyPI.
comma := ,
ROS := $(if $(ROS_DISTRO),,$(comma)ros)

# Installed anew when what it depends on has changed; the package itself is installed editable.
$(READY): setup.py pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test,openvino,onnxruntime,quantise,synthetic,viewer$(ROS)]'
	touch $@

$(JAZZY)/.ready: setup.py constraints.txt
	test -x $(JAZZY)/bin/python || $(PYTHON) -m venv $(JAZZY)
	$(JAZZY)/bin/python -m pip install --quiet -c constraints.txt -e '.[test,openvino,ros-jazzy]'
	touch $@

clean:
	rm -rf $(VENV) $(JAZZY) build install log dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
