# SonoGate. `make` lists the targets; a target's comment is its help.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
FROM ?=
ONCE ?=
EXPORT ?= scratch/encoder
RANKER ?= scratch/ranker
ULPIPS_RUN ?= .run/ulpips
MEDQM_RUN ?= .run/medqm
MEDQM_I = --config models/recipes/medqm.toml --table models/recipes/priors.npz --data ../shared/data --run $(MEDQM_RUN)
ABLATIONS ?= .run/ablations
QBENCH_RUN ?= .run/qbench
CSV := docs/results/csv
NRQ := models/zoo/nrq/1.1.0
MLLM_SEEDS := 2026 2027 2028 2029 2030 2031
JOINED := models/zoo/joined/1.1.0
ENCODER ?= $(NRQ)
TRAINED = @test -f "$(ENCODER)/state.pt" || { echo "make $@ needs ENCODER=FOLDER, of sonoquality train encoder: \
	$(ENCODER) holds no heads (docs/how-to/train-the-encoder.md)" >&2; exit 1; }
FUZZ_SECONDS ?= 7200
TARGETS ?=
AT_ONCE ?= -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run test test-train check format doctor bench front-door soak kill-test power-cut-test fault-test durability fuzz nrq evaluate encoder-speed trials traces ablations ulpips medqm joined qbench fit gpu-check docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "SonoGate needs Python 3.11 or newer; set PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing SonoGate and the CPU runtime (about two minutes the first time) ..."
	@$(PIP) install -c constraints.txt -e '.[cpu]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@$(PIP) install -c constraints.txt --group test
	@touch $@

$(VENV)/.check: $(VENV)/.train
	@$(PIP) install -c constraints.txt --group check
	@touch $@

$(VENV)/.train: $(VENV)/.test
	@$(PIP) install -c constraints.txt -e '.[cpu,train,video]'
	@if command -v c++ >/dev/null; then $(PIP) install -c constraints.txt -e '.[brisque]'; \
	else echo "no C++ compiler: the BRISQUE baseline is left out"; fi
	@touch $@

$(VENV)/.fuzz: $(VENV)/.test
	@$(PIP) install -c constraints.txt -e '.[cpu,video,fuzz]'
	@touch $@

run: $(VENV)/.run ## start the gate, push a synthetic exam (or FROM=folder) and show the verdicts; ONCE=1 exits after the table
	@$(BIN)/sonogate demo $(if $(FROM),--from "$(FROM)") $(if $(ONCE),--once)

test test-train: export OMP_NUM_THREADS = 1

test: $(VENV)/.test ## run the tests; prints what it skipped and why
	@$(BIN)/python -m pytest $(AT_ONCE) $(PYTEST)

test-train: $(VENV)/.train ## run the tests of what trains or exports
	@$(BIN)/python -m pytest -m train $(AT_ONCE) $(PYTEST)

check: $(VENV)/.check ## ruff, mypy strict, import contracts, completeness of the docs
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pytest -q tests/architecture
	@$(BIN)/python -m pytest -q -m docs

format: $(VENV)/.check ## format the code and mend what ruff can
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

doctor: $(VENV)/.run ## say in plain words what is wrong with this machine
	@$(BIN)/sonogate doctor

bench: $(VENV)/.test ## measure latency, rate and idle cost beside their baselines (about ten minutes)
	@$(BIN)/python -m loadtests.bench $(BENCH)

front-door: $(VENV)/.test ## measure rates, cines and idle associations beside Orthanc and DCMTK (about four minutes)
	@$(BIN)/python -m loadtests.front_door $(FRONT_DOOR)

soak: $(VENV)/.test ## push 20 objects/s for an hour; memory must stay flat, answers quick
	@$(BIN)/python -m loadtests.soak $(SOAK)

kill-test: $(VENV)/.test ## 200 SIGKILLs while four carts push, 20 while results are made; nothing acknowledged may be lost
	@SONOGATE_KILLS=200 SONOGATE_RESULT_KILLS=20 $(BIN)/python -m pytest -s --show-capture=no --timeout 3600 \
	  tests/acceptance/test_kill.py tests/acceptance/test_kill_results.py

power-cut-test: $(VENV)/.test ## rebuild the disk from synced data at over 500 cut points; each of our fsyncs forgotten must be noticed
	@SONOGATE_POWER_CUTS=200 SONOGATE_FORWARD_CUTS=300 SONOGATE_OUTBOX_CUTS=90 SONOGATE_ROW_CUTS=100 \
	  $(BIN)/python -m pytest -s --show-capture=no --timeout 3600 -m 'not gpu and not train' tests/acceptance/test_power_cut.py \
	  tests/acceptance/test_power_cut_forward.py tests/acceptance/test_power_cut_outbox.py tests/acceptance/test_power_cut_rows.py

fault-test: $(VENV)/.test ## full, failing and slow disks, clock jumps, archives down, cut cables, 1,000 aborts
	@SONOGATE_FAULT_SECONDS=4 SONOGATE_ABORTS=1000 SONOGATE_FULL_DISKS=5 $(BIN)/python -m pytest -s --timeout 3000 \
	  tests/faults

durability: $(VENV)/.test ## print what the gate, Orthanc and DCMTK storescp lose by kills and power cuts (half an hour)
	@$(BIN)/python -m loadtests.durability $(DURABILITY)

fuzz: $(VENV)/.fuzz ## fuzz every way in under coverage guidance (FUZZ_SECONDS, default two hours; TARGETS, default all); writes scratch/fuzz
	@nice -n 19 $(BIN)/python -m tests.fuzz.campaign scratch/fuzz --seconds $(FUZZ_SECONDS) $(TARGETS)

fit: $(VENV)/.train ## fit the DCT manifold again from ../shared/data (training split)
	@$(BIN)/sonoquality fit --data ../shared/data --out models/zoo

nrq: $(VENV)/.train ## make NRQ's entry again: export, ranking, fit (hours); needs ENCODER=FOLDER, a training folder
	$(TRAINED)
	@$(BIN)/sonoquality export encoder --encoder $(ENCODER) --out $(EXPORT) --data ../shared/data \
	  --precision fp32 --precision fp16 --precision int8
	@$(BIN)/sonoquality train ranker --config models/recipes/ranker.toml --encoder $(EXPORT) --data ../shared/data \
	  --out $(RANKER)
	@$(BIN)/sonoquality fit --encoder $(EXPORT) --data ../shared/data --out models/zoo --recipe models/recipes/nrq.toml \
	  --ranker $(RANKER) --precision fp16

evaluate: $(VENV)/.train ## evaluate the DCT manifold; writes docs/results/baseline.md
	@$(BIN)/sonoquality evaluate model --data ../shared/data --out docs/results

encoder-speed: $(VENV)/.train ## export ENCODER (a training folder; default NRQ's, in half precision), time and weigh it and NRQ beside TinyUSFM (five minutes, quiet machine); writes docs/results
	@$(BIN)/sonoquality export encoder --encoder $(ENCODER) --out $(EXPORT)-speed --data ../shared/data \
	  --precision fp32 --precision fp16 --precision int8
	@OMP_NUM_THREADS=1 $(BIN)/sonoquality evaluate encoder-speed --encoder $(EXPORT)-speed --out docs/results

trials: $(VENV)/.train ## try NRQ and its baselines on faults, transfer, hearts (hours, after `make nrq`; goes on with the CSVs that are there, so move those of another entry away); writes docs/results
	@for by in model baselines; do entry=$$by; [ $$by = baselines ] || entry=$(NRQ); \
	  $(BIN)/sonoquality try ladders --data ../shared/data --by $$entry --per-source 8 --out $(CSV)/nrq-ladders-$$by.csv || exit 1; \
	  $(BIN)/sonoquality try graded --data ../shared/data --by $$entry --out $(CSV)/nrq-graded-$$by.csv || exit 1; \
	  for set in usaugment medmnistc; do $(BIN)/python models/external/make_set.py $$set --data ../shared/data \
	    --out scratch/external --per-source 8 && $(BIN)/sonoquality try external --folder scratch/external/$$set \
	    --by $$entry --out $(CSV)/nrq-$$set-$$by.csv || exit 1; done; done
	@$(BIN)/sonoquality try clean --data ../shared/data --by $(NRQ) --out $(CSV)/nrq-clean-model.csv
	@$(BIN)/sonoquality try variations --data ../shared/data --by $(NRQ) --per-source 8 --out $(CSV)/nrq-variations-model.csv
	@$(BIN)/sonoquality try boxes --data ../shared/data --entry $(NRQ) --per-source 8 --out $(CSV)/nrq-boxes.csv
	@$(BIN)/sonoquality try organs --data ../shared/data --entry $(NRQ) --as-they-are --out $(CSV)/nrq-organs-clean.csv
	@$(BIN)/sonoquality try organs --data ../shared/data --entry $(NRQ) --per-source 8 --out $(CSV)/nrq-organs-ladders.csv
	@$(BIN)/sonoquality try refits --data ../shared/data --encoder $(EXPORT) --ranker $(RANKER) --recipe models/recipes/nrq.toml \
	  --per-source 8 --out $(CSV)/nrq-refits.csv
	@$(BIN)/sonoquality fit --encoder $(EXPORT) --data ../shared/data --out scratch/int8 --recipe models/recipes/nrq.toml \
	  --ranker $(RANKER) --precision int8
	@$(BIN)/sonoquality try ladders --data ../shared/data --by scratch/int8/$(NRQ:models/zoo/%=%) --per-source 8 \
	  --out $(CSV)/nrq-ladders-int8.csv
	@$(BIN)/sonoquality evaluate pages --out docs/results

traces: $(VENV)/.train ## teach the net that tells spectra and M-mode, and make its entry again (half an hour)
	@$(BIN)/sonoquality train traces --config models/recipes/traces.toml --data ../shared/data --out scratch/traces
	@$(BIN)/sonoquality export traces --run scratch/traces --data ../shared/data --out models/zoo

ablations: $(VENV)/.train ## train short encoders alike but for one loss or source, and compare them and ENCODER (default NRQ's; hours; resumes); writes docs/results
	@$(BIN)/sonoquality train ablations --config models/recipes/ablation.toml --data ../shared/data --out $(ABLATIONS)
	@$(BIN)/sonoquality evaluate ablations --config models/recipes/ablation.toml --data ../shared/data \
	  --runs $(ABLATIONS) --encoder $(ENCODER) --out docs/results

ulpips: $(VENV)/.train ## hold uLPIPS under ENCODER (default NRQ's) against ladders, Dice and rivals (hours; goes on where it stopped); writes docs/results
	@for organ in liver fetal_head ovary; do $(BIN)/sonoquality train segmentation --organ $$organ \
	  --config models/recipes/segmentation.toml --data ../shared/data --out $(ULPIPS_RUN)/segmentation || exit 1; done
	@$(BIN)/sonoquality evaluate ulpips-weights --weights $(ENCODER) --data ../shared/data --run $(ULPIPS_RUN) \
	  --out docs/results $(ULPIPS_CHOICE)
	@$(BIN)/sonoquality evaluate ulpips --weights $(ENCODER) --data ../shared/data --run $(ULPIPS_RUN) \
	  --out docs/results $(ULPIPS)
	@$(BIN)/sonoquality train restoration --config models/recipes/restoration.toml --weights $(ENCODER) \
	  --data ../shared/data --out $(ULPIPS_RUN)/restoration
	@$(BIN)/sonoquality evaluate restoration --run $(ULPIPS_RUN)/restoration --weights $(ENCODER) \
	  --data ../shared/data --segmentation $(ULPIPS_RUN)/segmentation --out docs/results $(ULPIPS_RESTORED)

medqm: $(VENV)/.train ## label images by what faults cost a diagnosis, train MedQM-I and its variants (hours; goes on); writes docs/results
	@$(BIN)/sonoquality medqm copies --data ../shared/data --run $(MEDQM_RUN)
	@$(BIN)/sonoquality medqm diagnosticians --config models/recipes/diagnosticians.toml --data ../shared/data --run $(MEDQM_RUN)
	@for seed in $(MLLM_SEEDS); do for fold in "--fold 0" "--fold 1" "--fold 2" "--fold 3" ""; do \
	  $(BIN)/sonoquality train mllm $$fold --seed $$seed --config models/recipes/mllm.toml --data ../shared/data \
	  --out $(MEDQM_RUN)/mllm-$$seed || exit 1; done; done
	@$(BIN)/sonoquality medqm diagnose --data ../shared/data --run $(MEDQM_RUN) \
	  $(MLLM_SEEDS:%=--language $(MEDQM_RUN)/mllm-%)
	@$(BIN)/sonoquality medqm labels $(MEDQM_I)
	@$(BIN)/sonoquality medqm train $(MEDQM_I) --variants
	@$(BIN)/sonoquality medqm measure $(MEDQM_I) --out docs/results

joined: $(VENV)/.train ## join NRQ and MedQM-I of the zoo (after `make medqm` and `sonoquality medqm export`): write the gate's entry, try it on copies, hearts, and by the clock (goes on with the CSVs that are there, so move those of another entry away); writes docs/results
	@$(BIN)/sonoquality medqm join --config models/recipes/joined.toml --data ../shared/data --run $(MEDQM_RUN) --out models/zoo
	@$(BIN)/sonoquality medqm try-joined --entry $(JOINED) --run $(MEDQM_RUN) --out docs/results
	@$(BIN)/sonoquality try boxes --of-faults --data ../shared/data --entry $(JOINED) --per-source 5 --out $(CSV)/joined-boxes.csv
	@$(BIN)/sonoquality try laps --entry $(JOINED) --out $(CSV)/joined-speed.csv
	@$(BIN)/sonoquality try graded --data ../shared/data --by $(JOINED) --out $(CSV)/joined-graded.csv
	@$(BIN)/sonoquality evaluate pages --out docs/results

qbench: $(VENV)/.train ## let every measure take part in the benchmark, on graded hearts and on ladders (half an hour; resumes); QBENCH adds entrants, as QBENCH="--local FOLDER"; writes docs/results
	@for form in graded ladders; do $(BIN)/sonoquality qbench run --data ../shared/data --form $$form --entrant metrics \
	  --entrant random --entrant constant $(QBENCH) --out $(QBENCH_RUN) || exit 1; done
	@$(BIN)/sonoquality qbench report --answers $(QBENCH_RUN) --out docs/results

gpu-check: $(BIN)/python ## on a machine with a GPU: install [gpu] and run the tests that need it
	@$(PIP) install -c constraints.txt -e '.[gpu]' --group test
	@$(BIN)/sonogate doctor && $(BIN)/python -m pytest -m gpu

docs: $(VENV)/.run ## write the generated reference pages again
	@$(BIN)/sonogate settings docs > docs/reference/settings.md
	@$(BIN)/sonogate settings example > deploy/sonogate.example.toml
	@$(BIN)/python -m sonogate.observe.reference > docs/reference/metrics.md
	@$(BIN)/python -m sonogate.receive.conformance > docs/conformance.md
	@$(BIN)/python -m sonogate.act.results.reference > docs/reference/result-codes.md
	@$(BIN)/python -m sonoquality.degrade.reference > docs/reference/degradations.md

clean: ## remove the environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
