# The short names of README's commands. Everything needs only Python 3.11, make and a network.
PYTHON ?= python3.11
DEVICE ?= cpu
ENVS := $(or $(PREFSWEEP_ENVS),.envs)
WORKFLOW := $(ENVS)/$(DEVICE)/workflow/bin
DEVELOP := $(ENVS)/cpu/develop/bin

.PHONY: setup demo test check audit test-unit test-workflow test-faults test-browser test-slurm test-e2e test-docker test-gpu bench bench-compare bench-cores bench-devices bench-forks bench-halving bench-length-control bench-overhead bench-page bench-plan bench-protections bench-reproducibility bench-soak bench-statistics bench-stops bench-sweep bench-validate develop locks schema clean

setup: ## create the environments a study needs
	$(PYTHON) scripts/setup.py --device $(DEVICE)

demo: ## five methods and the base model, on this machine's CPU, in minutes
	$(PYTHON) scripts/setup.py --device $(DEVICE) workflow
	$(WORKFLOW)/snakemake --cores all --configfile config/demo.yaml

develop:
	$(PYTHON) scripts/setup.py --device cpu workflow develop

test: check test-unit test-workflow test-faults test-browser test-slurm test-e2e test-docker ## all that CI runs

check: develop ## lint, format, types
	$(DEVELOP)/ruff check
	$(DEVELOP)/ruff format --check
	$(DEVELOP)/snakefmt --check Snakefile rules
	$(DEVELOP)/mypy scripts/prefsweep

test-unit: develop ## the library, module by module
	$(DEVELOP)/pytest tests/unit -n auto

test-workflow: develop ## what the DAG promises, with stub engines
	$(DEVELOP)/pytest tests/workflow -n auto --dist loadfile

test-faults: develop ## faults and bad input as a user meets them, with stub engines
	$(DEVELOP)/pytest tests/faults -n auto

test-browser: develop ## the page in a headless Chromium, Debian's; as root where it has to be installed
	$(DEVELOP)/pytest tests/browser

test-slurm: develop ## a study on a real Slurm on this machine, with stub engines; as root
	$(DEVELOP)/pytest tests/slurm

test-e2e: develop ## a study of five methods on a tiny model, with the real engines
	$(DEVELOP)/pytest tests/e2e

test-docker: develop ## the CPU image, built and run; an engine is started where none answers and this is root
	$(DEVELOP)/pytest tests/docker -rs

test-gpu: develop ## a study of five methods in bfloat16 on this machine's GPU; no part of `make test`
	PREFSWEEP_DEVICE=cuda $(DEVELOP)/pytest tests/gpu -rs

bench: bench-plan bench-validate bench-compare bench-cores bench-devices bench-forks bench-overhead bench-page bench-statistics bench-length-control bench-halving bench-soak bench-stops bench-sweep bench-reproducibility ## what performance claims rest on: benchmarks/results/*.json

bench-compare: develop ## 1,000 runs of 500 prompts compared: tables, every answer, page
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.compare

bench-cores: develop ## two trainings with all cores one after the other, and at once with a core each
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.cores

bench-devices: develop ## a sweep on 1, 2, 4 and 8 simulated GPUs: how its wall time falls; a quarter of an hour
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.devices

bench-forks: develop ## trainings and merges whose engine is loaded by each job, or once: how long, and whether they are alike
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.forks

bench-halving: develop ## what screening saves on the demo, and whether it finds the same winner; about an hour
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.halving

bench-length-control: develop ## simulated judges who like length: what is left at equal length, and how sure it is
	PYTHONPATH=scripts:. OMP_NUM_THREADS=1 $(DEVELOP)/python -m benchmarks.length_control

bench-overhead: develop ## what the workflow adds to each job, with stub engines, up to 1,000 runs
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.overhead

bench-page: develop ## how soon the page of 16, 101 and 1,001 runs answers its reader in Chromium, its size and memory
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.page

bench-plan: develop ## 10,000 runs planned, and how soon the first of 1,000 starts
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.plan

bench-protections: develop ## each protection taken out in turn: does its test fail? An hour or two
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.protections

bench-reproducibility: develop ## a study of five methods twice, and the same prompts again and again, with the real engines: what has the same bits
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.reproducibility

bench-soak: develop ## 200 runs under random faults, stops and kills, with stub engines: what is lost; half an hour, as root
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.soak

bench-stops: develop ## 50 stops, 20 kills and 20 pairs of calls at once of a small study with stub engines, some 20 minutes
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.stops

bench-sweep: develop ## the same study through prefsweep and as a loop over the engines' commands, in turns; hours
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.sweep

bench-validate: develop ## a million rows checked on one core
	PYTHONPATH=scripts:. $(DEVELOP)/python -m benchmarks.validate

bench-statistics: develop ## simulated studies whose truth is known: false claims, power, coverage
	PYTHONPATH=scripts:. OMP_NUM_THREADS=1 $(DEVELOP)/python -m benchmarks.statistics

audit: ## known vulnerabilities of what the locks pin; asks an advisory service, so that no test can depend on it
	$(PYTHON) scripts/setup.py --device cpu audit
	status=0; for lock in envs/cpu/*.txt envs/cuda/train.txt envs/cuda/serve.txt; do echo "$$lock"; \
	$(ENVS)/cpu/audit/bin/pip-audit --disable-pip --require-hashes --vulnerability-service osv --requirement "$$lock" || status=1; done; exit $$status

locks: ## resolve envs/*/*.in again
	$(WORKFLOW)/python scripts/lock.py

schema: develop ## write config/study.schema.json from the typed study, and the tables of docs/methods.md and results.md
	$(DEVELOP)/python scripts/schema.py
	$(DEVELOP)/python scripts/catalogue.py
