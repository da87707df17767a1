"""A whole classifier as one .tflite file: the run's own body, with its head behind it.

The body is not converted a second time: one of int8 would not come out the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.runtime.head import Head
from dlcli.spec.shapes import PROBABILITIES

_IDENTIFIER = b"TFL3"


def append_head(body: bytes, head: Head) -> bytes:
    """A .tflite body of float32 features, and a head -> one .tflite file that gives probabilities.

    The head is a float32 dense layer, the temperature in its weights, and a softmax.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(body, 0))
    (graph,) = model.subgraphs
    (features,) = graph.outputs
    weights, bias = head.weights.T / head.temperature, head.bias / head.temperature
    num_classes = len(bias)
    network = _Network(schema, model)
    logits = network.add_tensor("logits", (1, num_classes))
    network.add_operator(
        "FULLY_CONNECTED",
        [features, network.add_constant("head", weights), network.add_constant("bias", bias)],
        logits,
        schema.FullyConnectedOptionsT(),
    )
    answer = network.add_tensor(PROBABILITIES, (1, num_classes))
    network.add_operator("SOFTMAX", [logits], answer, schema.SoftmaxOptionsT(beta=1.0))
    graph.outputs = [answer]
    for signature in model.signatureDefs or ():
        (output,) = signature.outputs
        output.tensorIndex = answer
    builder = flatbuffers.Builder(len(body))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


class _Network:
    """Adds to the only graph of a .tflite model, which is as `schema` has generated it."""

    def __init__(self, schema: Any, model: Any) -> None:
        self._schema = schema
        self._model = model
        self._graph = model.subgraphs[0]

    def add_constant(self, name: str, values: NDArray[np.float32]) -> int:
        """A tensor of float32 values; returns its number."""
        content = np.frombuffer(values.astype("<f4").tobytes(), np.uint8)
        self._model.buffers.append(self._schema.BufferT(data=content))
        buffer = len(self._model.buffers) - 1
        return self._add(self._schema.TensorT(shape=list(values.shape), buffer=buffer), name)

    def add_tensor(self, name: str, shape: tuple[int, int]) -> int:
        """A tensor of one row a picture, however many there are; returns its number."""
        signature = [-1, *shape[1:]]
        return self._add(self._schema.TensorT(shape=list(shape), shapeSignature=signature), name)

    def add_operator(self, kind: str, inputs: list[int], output: int, options: Any) -> None:
        """An operator behind the others."""
        schema, code = self._schema, getattr(self._schema.BuiltinOperator, kind)
        entry = schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=code, version=1)
        self._model.operatorCodes.append(entry)
        options_type = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._graph.operators.append(
            schema.OperatorT(
                opcodeIndex=len(self._model.operatorCodes) - 1,
                inputs=inputs,
                outputs=[output],
                builtinOptionsType=options_type,
                builtinOptions=options,
            )
        )

    def _add(self, tensor: Any, name: str) -> int:
        tensor.type, tensor.hasRank = self._schema.TensorType.FLOAT32, True
        tensor.name = f"dlcli_{name}"
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1
