# k2eval: `make eval` and `make test` set up everything they need. `make help` lists the targets.

MODEL   ?= $(if $(wildcard models/nano/rl/config.json),models/nano/rl,build/random)
TASKS   ?= $(if $(wildcard models/nano/rl/config.json),$(NANO),smoke)
# RUNS is the name of 0.1.0.
REPEATS ?= $(RUNS)
RECIPE  ?= plain
DATA    ?=
LIMIT   ?=
SEED    ?=
OUT     ?= runs/$(notdir $(MODEL:/=))-$(RECIPE)
ARGS    ?=

DEMO      := leaderboards/nano
DEMO_REPEATS ?= 2
DEMO_RUN   = $(K2) run --tasks $(NANO) --repeats $(DEMO_REPEATS)

comma := ,
VENV  ?= .venv
PY    := $(VENV)/bin/python
K2    := $(PY) -m k2eval
FLAGS  = --recipe $(RECIPE) --out '$(OUT)' $(if $(REPEATS),--repeats $(REPEATS)) $(if $(DATA),--data $(DATA)) \
         $(if $(LIMIT),--limit $(LIMIT)) $(if $(SEED),--seed $(SEED)) $(ARGS)
export VENV

MATH := aime24,aime25,hmmt25,omni_math_hard
CODE := livecodebench_v5,scicode,humaneval
SCIENCE := gpqa_diamond
NANO := nano_math,nano_choice,nano_code,nano_science

.DEFAULT_GOAL := help

##@ Evaluate
.PHONY: eval
eval: setup $(filter build/random,$(MODEL)) ## Evaluate MODEL on TASKS: MODEL= TASKS=a,b REPEATS= RECIPE= DATA= LIMIT= SEED= OUT= ARGS=
	@$(K2) run --model $(MODEL) --tasks $(TASKS) $(FLAGS); code=$$?; [ $$code -le 1 ] || exit $$code; \
	    $(K2) leaderboard '$(OUT)' --out '$(OUT)/leaderboard' --quiet && exit $$code

.PHONY: eval-math eval-code eval-science eval-all
eval-math: ## AIME24, AIME25, HMMT25 and Omni-MATH-HARD
	@$(MAKE) --no-print-directory eval TASKS=$(MATH)
eval-code: ## LiveCodeBench v5, SciCode and HumanEval
	@$(MAKE) --no-print-directory eval TASKS=$(CODE)
eval-science: ## GPQA-Diamond
	@$(MAKE) --no-print-directory eval TASKS=$(SCIENCE)
eval-all: ## Every benchmark
	@$(MAKE) --no-print-directory eval TASKS=$(MATH),math500,$(CODE),$(SCIENCE)
eval-%: ## One task by its name: eval-aime24, eval-gpqa_diamond, eval-livecodebench_v6, eval-smoke …
	@$(MAKE) --no-print-directory eval TASKS=$*

.PHONY: demo
demo: setup ## Compare the small checkpoints and the recipes; writes leaderboards/nano.*
	@for checkpoint in base sft rl; do \
	    $(DEMO_RUN) --model models/nano/$$checkpoint --out $(DEMO)/$$checkpoint-plain || exit; done
	@$(DEMO_RUN) --model models/nano/rl --recipe bo3 --reuse $(DEMO)/rl-plain --out $(DEMO)/rl-bo3
	@$(DEMO_RUN) --model models/nano/rl --recipe maj3 --reuse $(DEMO)/rl-bo3 --out $(DEMO)/rl-maj3
	@$(DEMO_RUN) --model models/nano/rl --recipe k2 --out $(DEMO)/rl-k2
	@$(DEMO_RUN) --model models/nano/rl --recipe plan --reuse $(DEMO)/rl-k2 --out $(DEMO)/rl-plan
	@$(DEMO_RUN) --model models/nano/rl --speculative draft=models/nano/draft,tokens=3 --out $(DEMO)/rl-plain-speculative
	@$(K2) leaderboard $(DEMO)/*/ --out $(DEMO)
	@$(K2) compare $(DEMO)/sft-plain $(DEMO)/rl-plain
	@$(K2) ablation $(DEMO)/rl-bo3 $(DEMO)/rl-k2
	@$(K2) report $(DEMO)/*/ --out build/demo

.PHONY: leaderboard tasks doctor
leaderboard: setup ## One table of every run under runs/, as leaderboards/runs.*
	@$(if $(wildcard runs/*/run.json),,echo "No run under runs/ yet. Make one with 'make eval'." >&2; exit 2;) \
	    $(K2) leaderboard $(patsubst %/run.json,%,$(wildcard runs/*/run.json)) --out leaderboards/runs
tasks: setup ## List the tasks
	@$(K2) tasks $(if $(DATA),--data $(DATA))
doctor: setup ## Check what this machine offers
	@$(K2) doctor

##@ Develop
.PHONY: setup check test test-fast test-servers coverage format vendor docs pictures
setup: ## Make the environment; does nothing when it is there
	@requirements/install.sh
check: setup ## ruff, mypy and import-linter
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo --no-cache
# One for each of two cores: a third would starve the starts of Ray and Slurm.
TEST_WORKERS ?= 2
test: setup ## All tests
	@$(PY) -m pytest -n $(TEST_WORKERS) --dist loadgroup --durations 40
test-fast: setup ## Tests that need neither vLLM nor much time
	@$(PY) -m pytest -n 2 -m "not slow"
test-servers: setup ## Tests against real servers, each in an environment of its own under build/servers
	@for name in llamacpp litellm transformers; do \
	    cmp -s requirements/servers/$$name.txt build/servers/$$name/.installed || { $(PY) -m venv build/servers/$$name && \
	    build/servers/$$name/bin/pip install -q --disable-pip-version-check -r requirements/servers/$$name.txt && \
	    cp requirements/servers/$$name.txt build/servers/$$name/.installed; } || exit; done
	@$(PY) -m pytest -n 0 tests/servers $(ARGS)
coverage: setup ## Branch coverage of the fast tests, child processes included
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(PY) -m pytest -n 2 -q -m "not slow" --cov --cov-report=term
format: setup ## Format the code
	@$(PY) -m ruff check --fix -q . ; $(PY) -m ruff format -q .

vendor: setup ## Fetch the JavaScript of the pages anew, at the versions of requirements/pages.json
	@$(PY) requirements/pages.py --refresh

docs: setup ## The documentation as pages, in build/site
	@cmp -s requirements/docs.txt $(VENV)/.docs-installed || { $(PY) -m pip install -q --disable-pip-version-check \
	    -r requirements/docs.txt && cp requirements/docs.txt $(VENV)/.docs-installed; }
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet && echo "Wrote build/site/index.html"

pictures: setup ## The README's screenshot and recording, made anew with the bundled checkpoints and Debian's Chromium
	@cmp -s requirements/pictures.txt build/pictures/.installed || { $(PY) -m pip install -q --disable-pip-version-check \
	    --upgrade --target build/pictures -r requirements/pictures.txt && cp requirements/pictures.txt build/pictures/.installed; }
	@PYTHONPATH=build/pictures $(PY) docs/pictures.py build/pictures/work

##@ Measure
.PHONY: bench-beside bench-endpoint bench-fleet bench-generation bench-grading bench-kills bench-leaderboard bench-load bench-pages \
        bench-race bench-recipe bench-sandbox bench-schedule bench-speed bench-startup bench-stock \
        bench-swap
bench-endpoint: setup ## Answers and tokens/s of one core through servers that answer from memory, against a bare client
	@$(PY) -m benchmarks.endpoint $(ARGS)
bench-fleet: setup ## Places that one driver keeps taken in 64 replicas of 256 places; ARGS="--recipe k2 --samples 20000"
	@$(PY) -m benchmarks.fleet $(ARGS)
bench-generation: setup ## k2eval against bare vLLM on the same requests
	@$(PY) -m benchmarks.generation $(ARGS)
bench-grading: setup ## Graded answers per second against serial math-verify
	@$(PY) -m benchmarks.grading $(ARGS)
bench-speed: setup ## Tokens/s, latencies and memory of MODEL with and without n-gram speculation
	@mkdir -p build/speed && echo '{}' >build/speed/plain.yaml && echo 'speculative: ngram' >build/speed/ngram.yaml
	@$(K2) speed --model $(MODEL) --config build/speed/plain.yaml --config build/speed/ngram.yaml \
	     --out build/speed/table $(ARGS)
bench-leaderboard: setup ## The leaderboard of 100 runs × 17,000 verdicts: seconds and memory
	@$(PY) -m benchmarks.leaderboard $(ARGS)
bench-sandbox: setup ## Programs judged per second; ARGS=--official DIR runs LiveCodeBench's own grader beside
	@$(PY) -m benchmarks.sandbox $(ARGS)
bench-kills: setup ## Runs killed 180 times at random moments, and compared; ARGS="--kills 0 --vllm 20" with vLLM in process
	@$(PY) -m benchmarks.kills $(ARGS)
bench-load: setup ## Whether verdicts on 200 programs are the same on an idle and on a busy machine
	@$(PY) -m benchmarks.load $(ARGS)
bench-beside: setup ## What grading programs beside generation costs the engine
	@$(PY) -m benchmarks.beside $(ARGS)
bench-recipe: setup ## k2 as it flows against the same work stage by stage
	@$(PY) -m benchmarks.recipe $(ARGS)
bench-pages: setup ## A report of 1,000 questions × 16 repeats: its size, and seconds to open, filter and search
	@$(PY) -m benchmarks.pages $(ARGS)
bench-race: setup ## Races and scores to a wanted precision, simulated: error, power, savings, coverage and bias
	@OMP_NUM_THREADS=1 $(PY) -m benchmarks.race $(ARGS)
bench-schedule: setup ## Wall time of orders of samples on 1 to 64 replicas, simulated; ARGS="--places 32"
	@$(PY) -m benchmarks.schedule $(ARGS)
bench-startup: setup ## Seconds that `k2eval --help` takes
	@$(PY) -m benchmarks.startup $(ARGS)
bench-stock: setup ## Stock lm-eval against k2eval run, whole process and generation apart; ARGS="--rounds 1 --limit 20"
	@$(PY) -m benchmarks.stock $(ARGS)
bench-swap: setup ## Seconds of a swap of weights against a start, and a greedy probe; MODELS="a b" ARGS="--set NAME=VALUE"
	@$(PY) -m benchmarks.swap $(MODELS) $(ARGS)

##@ Other
.PHONY: help clean
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	     /^[a-zA-Z0-9_%-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
clean: ## Remove the environment and what builds left; runs and leaderboards stay
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache *.egg-info

build/random: setup
	@$(PY) -c "from pathlib import Path; from k2eval.testing import make_tiny_checkpoint as make; make(Path('build/random'))"
