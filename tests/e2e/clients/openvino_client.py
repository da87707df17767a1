"""Reads a SavedModel with OpenVINO: python openvino_client.py MODEL PIXELS.npy PROBABILITIES.npy

OpenVINO counts in bfloat16 on processors that know it, unless it is told otherwise.
"""

import sys

import numpy as np
import openvino

model, pixels, probabilities = sys.argv[1:]
core = openvino.Core()
compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
np.save(probabilities, compiled(np.load(pixels))["probabilities"])
sys.exit("dlcli" in sys.modules)
