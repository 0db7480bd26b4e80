"""Exports the Q-network as ONNX: the same operations, built from the arrays of a weight file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.network import NetworkSpec, Weights

INPUT, OUTPUT = "observation", "values"
OPSET, IR_VERSION = 18, 8  # from 2022, so that older runtimes can read the file


class Graph:
    """Collects the nodes and constants of an ONNX graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, named like the node; returns this name."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant array; returns its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


def onnx_model(
    spec: NetworkSpec, observation_shape: tuple[int, int, int], actions: int, weights: Weights
) -> bytes:
    """Build the ONNX equivalent of `agents.network.build_q_network` with these weights.

    Args:
        spec: The layers.
        observation_shape: (K, H, W): number of images, height, width.
        actions: Number of actions A.
        weights: Arrays by name, float32, with the shapes of `agents.network.weight_shapes`.

    Returns:
        The bytes of an ONNX file, from `observation` uint8 [N, K, H, W] to `values` float32 [N, A], for any N.
    """
    from onnx import TensorProto, checker, helper

    graph = Graph()
    _layers(graph, spec, weights)
    made = helper.make_graph(
        graph.nodes,
        "q_network",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", *observation_shape])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", actions])],
        graph.constants,
    )
    versions = {"ir_version": IR_VERSION, "opset_imports": [helper.make_opsetid("", OPSET)]}
    model = helper.make_model(made, producer_name="carracing-dqn", **versions)
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _layers(graph: Graph, spec: NetworkSpec, weights: Weights) -> None:
    from onnx import TensorProto

    add, constant = graph.add, graph.constant

    def dense(name: str, x: str) -> str:
        kernel = constant(f"{name}/kernel", weights[f"{name}/kernel"])
        return add("Gemm", name, x, kernel, constant(f"{name}/bias", weights[f"{name}/bias"]))

    x = add("Cast", "pixels", INPUT, to=TensorProto.FLOAT)  # [N, K, H, W]
    x = add("Mul", "scaled", x, constant("scale", np.array([1 / 255], np.float32)))
    for i, (_, _, stride) in enumerate(spec.convolutions):
        name = f"conv_{i}"
        kernel = weights[f"{name}/kernel"].transpose(3, 2, 0, 1)  # [H, W, in, out] in Keras
        inputs = (
            constant(f"{name}/kernel", kernel),
            constant(f"{name}/bias", weights[f"{name}/bias"]),
        )
        x = add("Relu", f"{name}/relu", add("Conv", name, x, *inputs, strides=[stride, stride]))
    x = add("Flatten", "features", add("Transpose", "channels_last", x, perm=[0, 2, 3, 1]))
    for i in range(len(spec.dense)):
        x = add("Relu", f"dense_{i}/relu", dense(f"dense_{i}", x))
    if spec.dueling:
        value, advantage = dense("value", x), dense("advantage", x)  # [N, 1], [N, A]
        mean = add("ReduceMean", "mean", advantage, constant("axes", np.array([1])), keepdims=1)
        add("Sub", OUTPUT, add("Add", "value_and_advantage", value, advantage), mean)
    else:
        add("Identity", OUTPUT, dense("q", x))
