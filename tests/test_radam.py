"""RAdam against PyTorch's, and with what Keras does around an optimiser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from model.radam import RAdam
from tests.make_radam_reference import CASES, KEPT, RATE, STEPS, gradient, rate, start

REFERENCE = json.loads((Path(__file__).parent / "data" / "radam_reference.json").read_text(encoding="utf-8"))["cases"]


def arguments_of(case: str) -> dict[str, Any]:
    """PyTorch's arguments of a case in this class' names."""
    given: dict[str, Any] = dict(CASES[case])
    result: dict[str, Any] = {"learning_rate": RATE}
    if "betas" in given:
        result["beta_1"], result["beta_2"] = given["betas"]
    if "eps" in given:
        result["epsilon"] = given["eps"]
    if "weight_decay" in given:
        result["weight_decay"] = given["weight_decay"]
    return result


def walk(
    optimizer: RAdam, case: str, dtype: str, jit_compile: bool = False, steps: int = STEPS
) -> dict[int, np.ndarray]:
    """The variable after each kept step."""
    variable = keras.Variable(start(), dtype=dtype)
    optimizer.build([variable])

    @tf.function(jit_compile=jit_compile)
    def step_with(values: tf.Tensor) -> None:
        optimizer.apply([values], [variable])

    result = {}
    for step in range(1, steps + 1):
        optimizer.learning_rate = rate(case, step)
        step_with(tf.constant(gradient(case, step), dtype))
        if step in KEPT:
            result[step] = variable.numpy()
    return result


def assert_as_pytorch(result: dict[int, np.ndarray], case: str) -> None:
    for step, values in result.items():
        np.testing.assert_allclose(values, REFERENCE[case][str(step)], rtol=0, atol=1e-6, err_msg=f"step {step}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_it_agrees_with_pytorch_over_500_steps(case: str, dtype: str) -> None:
    assert_as_pytorch(walk(RAdam(**arguments_of(case)), case, dtype), case)


def test_it_agrees_with_pytorch_under_xla() -> None:
    assert_as_pytorch(walk(RAdam(**arguments_of("decoupled")), "decoupled", "float32", jit_compile=True), "decoupled")


def test_gradients_given_as_indexed_slices_are_taken_like_dense_ones() -> None:
    dense, sparse = keras.Variable(np.ones((4, 2))), keras.Variable(np.ones((4, 2)))
    rows = np.array([[1.0, 2.0], [3.0, -4.0]], np.float32)
    for variable, values in (
        (dense, tf.constant(np.stack([rows[0], np.zeros(2), np.zeros(2), rows[1]]), tf.float32)),
        (sparse, tf.IndexedSlices(tf.constant(rows), tf.constant([0, 3]), tf.constant([4, 2]))),
    ):
        optimizer = RAdam(0.1)
        for _ in range(10):
            optimizer.apply([values], [variable])
    np.testing.assert_allclose(sparse.numpy(), dense.numpy(), rtol=1e-6)
    assert not np.allclose(dense.numpy(), 1.0)


def test_excluded_variables_are_not_decayed() -> None:
    excluded, decayed = keras.Variable(np.ones(3), name="bias"), keras.Variable(np.ones(3), name="kernel")
    optimizer = RAdam(0.1, weight_decay=0.5)
    optimizer.build([excluded, decayed])
    optimizer.exclude_from_weight_decay(var_list=[excluded])
    optimizer.apply([tf.zeros(3), tf.zeros(3)], [excluded, decayed])
    assert (excluded.numpy() == 1.0).all()
    assert (decayed.numpy() < 1.0).all()


def test_its_configuration_makes_an_equal_one() -> None:
    optimizer = RAdam(0.02, beta_1=0.8, beta_2=0.99, epsilon=1e-6, weight_decay=0.2, clipnorm=1.0)
    config = json.loads(json.dumps(optimizer.get_config()))
    assert RAdam.from_config(config).get_config() == optimizer.get_config()
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, RAdam)
    assert again.get_config() == optimizer.get_config()


def small_model() -> keras.Model:
    return keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(8, "relu", kernel_initializer=keras.initializers.HeNormal(1)),
         keras.layers.Dense(3, "softmax", dtype="float32", kernel_initializer=keras.initializers.HeNormal(2))]
    )  # fmt: skip


def data() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
    return x, x[:, :3].argmax(1)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras with NumPy 2
def test_a_saved_model_goes_on_as_if_it_had_not_been_saved(tmp_path: Path) -> None:
    x, y = data()
    model = small_model()
    model.compile(RAdam(0.01, weight_decay=0.01), "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, again):
        each.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for mine, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_it_learns_under_mixed_precision(jit_compile: bool) -> None:
    x, y = data()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_model()
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile(
        keras.optimizers.LossScaleOptimizer(RAdam(0.05), initial_scale=2.0**30),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=jit_compile,
    )
    model.fit(x, y, batch_size=16, epochs=40, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert model.evaluate(x, y, verbose=0)[1] > 0.9
    # The scale was far too large at first: the overflowing steps are skipped and not counted.
    assert 0 < int(model.optimizer.iterations.numpy()) < 160


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"beta_1": 1.0}, "beta_1"), ({"beta_2": -0.1}, "beta_2"), ({"epsilon": -1.0}, "epsilon")],
)  # fmt: skip
def test_an_argument_out_of_range_is_named(arguments: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=rf"^{named} is .*; give "):
        RAdam(**arguments)
