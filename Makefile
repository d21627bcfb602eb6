# make demo: from a fresh clone to boxes on a video. make motion: the same with classes of whole videos.
# make test: the whole suite. make ablation: what each branch is worth.
# make fuzz: damaged files. make audit: unsafe code, and packages with known vulnerabilities; needs Python's package index.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG ?= configs/localization/yowo_sample.yaml
DATA ?= data/sample
VIDEOS ?=
DEMO ?= demo
RECOGNITION ?= configs/recognition/tsm_sample.yaml
MOTION ?= data/motion
CLIPS ?=
AUDIT ?=

.PHONY: demo motion ablation test fuzz lint audit clean

$(BIN)/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

$(DATA)/train.jsonl: data/sample/make_videos.py data/ucf24/build_split.py | $(BIN)/installed
	$(BIN)/python data/sample/make_videos.py -o $(DATA) $(VIDEOS)
	$(BIN)/python data/ucf24/build_split.py $(DATA) -o $(DATA)

demo: $(BIN)/installed $(DATA)/train.jsonl
	$(BIN)/python main.py -c $(CONFIG) -o output_dir=$(DEMO)/output
	$(BIN)/python main.py --test -w $(DEMO)/output/best.pdparams
	$(BIN)/python tools/export_model.py -p $(DEMO)/output/best.pdparams -o $(DEMO)/inference
	$(BIN)/python tools/predict.py -m $(DEMO)/inference -i '$(DATA)/videos/*/*_g2*_c01.mp4' -o $(DEMO)/predictions
	@echo "Annotated videos and JSON lines are in $(DEMO)/predictions, the numbers in $(DEMO)/output/test/metrics.json."

$(MOTION)/train.list: data/motion/make_clips.py | $(BIN)/installed
	$(BIN)/python data/motion/make_clips.py -o $(MOTION) $(CLIPS)

motion: $(BIN)/installed $(MOTION)/train.list
	$(BIN)/python main.py -c $(RECOGNITION) -o output_dir=$(DEMO)/motion
	$(BIN)/python main.py --test -w $(DEMO)/motion/best.pdparams
	$(BIN)/python tools/predict.py -w $(DEMO)/motion/best.pdparams -i '$(MOTION)/videos/*/test_*.mp4' -o $(DEMO)/classes
	@echo "Videos with their classes are in $(DEMO)/classes, the numbers in $(DEMO)/motion/test/metrics.json."

ablation: $(BIN)/installed $(DATA)/train.jsonl
	$(BIN)/python benchmarks/ablation.py -c $(CONFIG)

test: $(BIN)/installed lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --max-worker-restart 0

fuzz: $(BIN)/installed
	$(BIN)/python -m tests.fuzz --count 20000

lint: $(BIN)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

audit: $(BIN)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[audit]'
	$(BIN)/bandit --quiet --recursive --severity-level medium paddlevideo main.py tools data benchmarks
	$(BIN)/python tools/audit.py $(AUDIT)

clean:
	rm -rf $(DEMO) output inference predictions
