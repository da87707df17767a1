"""Sends files to a SavedModel: python saved_model_client.py MODEL FILES.json LABELS.json"""

import json
import sys
from pathlib import Path

import tensorflow

model, files, labels = sys.argv[1:]
serve = tensorflow.saved_model.load(model).signatures["serve_bytes"]
contents = [Path(file).read_bytes() for file in json.loads(Path(files).read_text())]
answer = serve(image_bytes=tensorflow.constant(contents))
Path(labels).write_text(json.dumps([label.decode() for label in answer["label"].numpy()]))
sys.exit("dlcli" in sys.modules)
