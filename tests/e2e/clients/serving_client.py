"""Builds the gRPC request of TensorFlow Serving from its REST example and answers it by the model:

python serving_client.py MODEL REQUEST.json ANSWER.json
"""

import base64
import json
import sys
from pathlib import Path

import tensorflow
from tensorflow_serving.apis import predict_pb2

model, example, answer = sys.argv[1:]
asked = json.loads(Path(example).read_text())
pictures = [base64.b64decode(instance["b64"]) for instance in asked["instances"]]
request = predict_pb2.PredictRequest()
request.model_spec.name = "animals"
request.model_spec.signature_name = asked["signature_name"]
request.inputs["image_bytes"].CopyFrom(tensorflow.make_tensor_proto(pictures))

received = predict_pb2.PredictRequest.FromString(request.SerializeToString())
serve = tensorflow.saved_model.load(model).signatures[received.model_spec.signature_name]
inputs = {
    name: tensorflow.constant(tensorflow.make_ndarray(tensor))
    for name, tensor in received.inputs.items()
}
found = serve(**inputs)
labels = [label.decode() for label in found["label"].numpy()]
Path(answer).write_text(json.dumps(labels))
sys.exit("dlcli" in sys.modules)
