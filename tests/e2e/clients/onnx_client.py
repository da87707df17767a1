"""Runs an ONNX file: python onnx_client.py MODEL PIXELS.npy PROBABILITIES.npy"""

import sys

import numpy as np
import onnxruntime

model, pixels, probabilities = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
np.save(probabilities, session.run(["probabilities"], {"image": np.load(pixels)})[0])
sys.exit("dlcli" in sys.modules)
