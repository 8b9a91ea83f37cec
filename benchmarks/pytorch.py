"""A training step against the same network in PyTorch: channels last, the same optimiser, batch and number of threads."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from benchmarks.networks import DEFAULT, settings
from benchmarks.records import Record, rate
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from model.network import new_network
from model.recipes import Recipe, transfer
from model.training import compile_step

_BATCH = 16
_STEPS = 6  # in a sample


def benchmark(plan: Plan) -> list[Record]:
    """Images a second of a step of `winning` and of `transfer`; none, with a line that says so, where PyTorch is not installed."""
    if importlib.util.find_spec("torch") is None:
        print("pytorch: left out, since PyTorch is not installed; pip install torch", flush=True)
        return []
    return [_of_recipe(plan, recipe) for recipe in (settings(*DEFAULT).recipe, transfer())[: plan.rounds(2, 1)]]


def _of_recipe(plan: Plan, recipe: Recipe) -> Record:
    network = new_network(replace(settings(*DEFAULT), recipe=recipe))
    compile_step(network)
    shape = (_BATCH, recipe.image_size, recipe.image_size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    labels = np.arange(_BATCH) % 4
    one_hot = np.eye(4, dtype=np.float32)[labels]
    step = _torch_step(network.model, recipe, images, labels)

    def ours() -> float:
        return _timed(lambda: network.model.train_on_batch(images, one_hot))

    what = f"{recipe.network}, {recipe.image_size} pixels"
    ways = [Way(f"Keras, {what}", ours, _BATCH), Way(f"PyTorch, {what}", lambda: _timed(step), _BATCH)]
    return measure(ways, plan.rounds(9, 3), least=0).faster(ways[0].name, ways[1].name, rate("images"), 1.0)


def _timed(step: Any) -> float:
    """Seconds a batch."""
    began = time.perf_counter()
    for _ in range(_STEPS):
        step()
    return (time.perf_counter() - began) / _STEPS


def _torch_step(model: keras.Model, recipe: Recipe, images: np.ndarray, labels: np.ndarray) -> Any:
    """A function that trains the same network in PyTorch on one batch."""
    # Triton, for GPUs, brings an LLVM that ends the process in which TensorFlow's is.
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    network = translate(model).to(memory_format=torch.channels_last).train()
    kind = {"radam": torch.optim.RAdam, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    optimizer = kind(network.parameters(), lr=recipe.learning_rate)
    loss = torch.nn.CrossEntropyLoss()
    truth = torch.from_numpy(labels)

    def step() -> None:
        batch = torch.from_numpy(images.transpose(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad()
        loss(network(batch), truth).backward()
        optimizer.step()

    return step


def translate(model: keras.Model) -> Any:
    """A torch module with the layers of a functional Keras model, random weights, and logits in place of its softmax.

    From float32 (n, 3, height, width). Padding is the same on both sides, where TensorFlow may have one pixel more at the end.
    """
    from torch import nn
    from torch.nn import functional

    made: dict[str, Any] = {}
    sources = {layer.name: [each.name for each in _sources(layer)] for layer in model.layers}
    for layer in model.layers:
        match layer:
            case keras.layers.DepthwiseConv2D():
                side, _, channels, _ = layer.kernel.shape
                made[layer.name] = nn.Conv2d(
                    channels, channels, side, layer.strides[0], side // 2, groups=channels, bias=layer.use_bias
                )
            case keras.layers.Conv2D():
                side, _, before, after = layer.kernel.shape
                made[layer.name] = nn.Conv2d(before, after, side, layer.strides[0], side // 2, bias=layer.use_bias)
            case keras.layers.BatchNormalization():
                made[layer.name] = nn.BatchNorm2d(layer.gamma.shape[0], layer.epsilon, 1 - layer.momentum)
            case keras.layers.ReLU():
                made[layer.name] = nn.ReLU6(inplace=True) if layer.max_value else nn.ReLU(inplace=True)
            case keras.layers.MaxPooling2D():
                made[layer.name] = nn.MaxPool2d(2)
            case keras.layers.Dropout():
                made[layer.name] = nn.Dropout(layer.rate)
            case keras.layers.Dense():
                made[layer.name] = nn.Linear(*layer.kernel.shape)

    class Translated(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleDict(made)

        def forward(self, images: Any) -> Any:
            values: dict[str, Any] = {}
            for layer in model.layers:
                inputs = [values[name] for name in sources[layer.name]]
                match layer:
                    case keras.layers.InputLayer():
                        values[layer.name] = images
                    case keras.layers.Rescaling():
                        values[layer.name] = inputs[0] * layer.scale + layer.offset
                    case keras.layers.Add():
                        values[layer.name] = inputs[0] + inputs[1]
                    case keras.layers.GlobalAveragePooling2D():
                        values[layer.name] = functional.adaptive_avg_pool2d(inputs[0], 1).flatten(1)
                    case keras.layers.Softmax():
                        return inputs[0]
                    case _:
                        values[layer.name] = self.parts[layer.name](inputs[0])
            raise ValueError(f"model {model.name} does not end with a softmax")

    return Translated()


def _sources(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers whose outputs it takes."""
    return [tensor._keras_history.operation for node in layer._inbound_nodes for tensor in node.input_tensors]
