# semtok: `make demo` shows it, `make test` proves it, `make up` opens it.

PYTHON ?= python3
SIZE ?= small
NAME := coco
VENV := .venv
FETCHED := -S data.source=semtok/data/sources -S 'data.fetch=[coco,coco/karpathy]' -S data.shards=60
# As params.yaml has them for few images, and one for each 2,000 of train.
SHARDS = -S data.shards=$$(n=$$(ls -f "$(COCO)"/train20*/ 2>/dev/null | wc -l); echo $$((n < 8000 ? 4 : n / 2000)))
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export GX_ANALYTICS_ENABLED := false
export DAGSTER_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help demo coco study up down test browser test-fast lint bench clean

help:  ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/line  ## Run the whole line on the embedded data set and print the leaderboard
	dvc repro
	semtok compare
	@echo
	@echo "Pictures:  chart.png and curves.png in artifacts/*/leaderboard, preview.png in"
	@echo "           artifacts/*/extraction/*/*, artifacts/*/token_shards/*, artifacts/*/checkpoint/*"
	@echo "Cases where variants differ:  semtok compare vit semantic --html comparison.html"
	@echo "Dagster and MLflow on this state:  make up"

coco: $(VENV)/line  ## Run the line on a COCO root: make coco COCO=/path/to/coco (or COCO=fetch) [NAME=mine] [SET="a.b=1 c=2"]
	@test -n "$(COCO)" || { echo "name the root: make coco COCO=/path/to/coco, or COCO=fetch downloads 20 GB"; exit 2; }
	@test "$(COCO)" = fetch -o -d "$(COCO)/annotations" || { echo "$(COCO): no folder 'annotations' there, so no COCO root"; exit 2; }
	dvc exp run -S data.name=$(NAME) -S data.format=coco \
	  $(if $(filter fetch,$(COCO)),$(FETCHED),-S "data.source='$$(cd "$(COCO)" && pwd)'" $(SHARDS)) \
	  -S extractors.annotated.masks=instances -S extractors.annotated.scene_graphs=geometry \
	  -S 'bench.benchmarks=[retrieval]' $(SET:%=-S %)
	semtok compare
	@echo
	@echo "params.yaml now describes $(NAME); 'git checkout params.yaml && dvc repro' goes back to scenes"

study: $(VENV)/study  ## Train and score a study's variants: make study SIZE=small, long, full, systems, or coco COCO=/path
	semtok study $(SIZE) $(if $(COCO),--source "$(COCO)")
	@echo "params.yaml now describes the study; 'git checkout params.yaml' goes back to the demo," \
	  "params.yaml.before is what stood there"
	dvc repro --keep-going; repro=$$?; semtok study $(SIZE) $(if $(COCO),--source "$(COCO)") --report && exit $$repro

up: $(VENV)/line  ## Start MLflow and Dagster on loopback; Ctrl-C stops both
	python -m dagster_project.services up

down: $(VENV)/line  ## End what `make up` left
	python -m dagster_project.services down

test: $(VENV)/dev lint browser  ## Install what the tests need and run them all
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile --no-loadscope-reorder

# A page is only seen to work in a browser. What root may install, root has it install.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || command -v google-chrome >/dev/null || { test "$$(id -u)" = 0 && apt-get -qq update \
	       && DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends chromium fonts-liberation; } \
	  || echo "no Chromium here: the tests that open pages in it are skipped"

test-fast: $(VENV)/dev  ## The tests for while you work: three minutes on two cores
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

lint: $(VENV)/dev  ## Format, lint, types, import contract
	ruff format --check .
	ruff check .
	mypy
	lint-imports

bench: $(VENV)/dev  ## Measure speed beside peers and write benchmarks/results.json
	python -m benchmarks

clean:  ## Remove every artifact and all state, MLflow's registry and the lock included
	@test "$(SURE)" = yes || { echo "this deletes artifacts/, metrics/, .semtok/ (MLflow's registry) and" \
	  "dvc.lock: make down, then make clean SURE=yes"; exit 2; }
	rm -rf artifacts metrics .semtok dvc.lock

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "semtok needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/line: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[line]'
	@touch $@

$(VENV)/study: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[line,clip]'
	@touch $@ $(VENV)/line

$(VENV)/dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[line,dev]'
	@touch $@ $(VENV)/line $(VENV)/study
