# make demo: from a fresh clone to boxes on a video. make test: the whole suite.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SAMPLE := configs/localization/yowo_sample.yaml
DEMO := demo

.PHONY: demo test lint ablation clean

$(BIN)/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

data/sample/train.jsonl: data/sample/make_videos.py data/ucf24/build_split.py | $(BIN)/installed
	$(BIN)/python data/sample/make_videos.py -o data/sample
	$(BIN)/python data/ucf24/build_split.py data/sample -o data/sample

demo: $(BIN)/installed data/sample/train.jsonl
	$(BIN)/python main.py -c $(SAMPLE) -o output_dir=$(DEMO)/output
	$(BIN)/python main.py --test -w $(DEMO)/output/best.pdparams
	$(BIN)/python tools/export_model.py -c $(DEMO)/output/config.yaml -p $(DEMO)/output/best.pdparams -o $(DEMO)/inference
	$(BIN)/python tools/predict.py -m $(DEMO)/inference -i 'data/sample/videos/*/*_g2*_c01.mp4' -o $(DEMO)/predictions
	@echo "annotated videos and detections are in $(DEMO)/predictions, numbers in $(DEMO)/output/test/metrics.json"

ablation: $(BIN)/installed data/sample/train.jsonl
	$(BIN)/python benchmarks/ablation.py

test: $(BIN)/installed lint
	$(BIN)/python -m pytest

lint: $(BIN)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(DEMO) output inference predictions
