"""The optimiser RAdam, which Keras 3 does not have."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class _StepSizes:
    """The current result of `RAdam._step_sizes`, in an object that Keras does not save."""

    sizes: tuple[Any, Any] | None = None


@keras.saving.register_keras_serializable(package="fundus")
class RAdam(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Rectified Adam (Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020, algorithm 2).

    In the first steps, the second moment is estimated from too few gradients, so the step is plain momentum. Later steps are Adam's,
    scaled by a factor for the variance of the second moment. Hence no warm-up is needed. As in PyTorch, rectification starts when the
    length of the approximated average exceeds 5 (step 6 with the default `beta_2`), and epsilon is added to the root of the second
    moment before its bias is corrected.

    Args:
        learning_rate: a float, a schedule, or a function without arguments.
        beta_1, beta_2: decay of the first and second moment, in 0 <= beta < 1.
        epsilon: number added to the root of the second moment.
        name, kwargs: as for every Keras optimiser (`weight_decay`, `clipnorm`, `use_ema`, ...).

    Raises:
        ValueError: an argument out of range; the message names it.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        name: str = "radam",
        **kwargs: Any,
    ) -> None:
        for argument, value in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not 0 <= value < 1:
                raise ValueError(f"{argument} is {value}; give a number in 0 <= {argument} < 1")
        if not epsilon >= 0:
            raise ValueError(f"epsilon is {epsilon}; give a number that is not negative")
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self._of_this_step = _StepSizes()

    def build(self, variables: list[Any]) -> None:
        """Create both moments of each variable, with its shape and dtype."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """Update all variables."""
        self._of_this_step.sizes = None
        try:
            return super().apply(grads, trainable_variables)
        finally:
            self._of_this_step.sizes = None  # in a traced function, they belong to its graph

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        dtype = variable.dtype
        gradient = ops.cast(gradient, dtype)
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        self.assign_add(momentum, ops.multiply(ops.subtract(gradient, momentum), 1 - self.beta_1))
        self.assign_add(velocity, ops.multiply(ops.subtract(ops.square(gradient), velocity), 1 - self.beta_2))

        # Computed once for all variables: tracing it for each would take a third of the time until a training starts.
        sizes = self._of_this_step.sizes = self._of_this_step.sizes or self._step_sizes(learning_rate)
        plain, rectified = sizes
        # One of the two sizes is zero, so that no branch is needed, which XLA and distribution would have to trace.
        adaptive = ops.divide(ops.cast(rectified, dtype), ops.add(ops.sqrt(velocity), self.epsilon))
        adaptive = ops.where(rectified > 0, adaptive, ops.zeros_like(adaptive))
        self.assign_sub(variable, ops.multiply(momentum, ops.add(ops.cast(plain, dtype), adaptive)))

    def _step_sizes(self, learning_rate: Any) -> tuple[Any, Any]:
        """Factors on the momentum: before rectification, and with rectification (there also divided by the root of the second moment).

        Float64 scalars: the length of the average, compared with 5, is a difference of two numbers near 2000.
        """
        rate = ops.cast(learning_rate, "float64")
        step = ops.cast(self.iterations + 1, "float64")
        # Not ops.cast, which converts a Python float to float32 first.
        power_1 = ops.power(ops.convert_to_tensor(self.beta_1, "float64"), step)
        power_2 = ops.power(ops.convert_to_tensor(self.beta_2, "float64"), step)
        longest = 2 / (1 - self.beta_2) - 1
        length = longest - 2 * step * power_2 / (1 - power_2)
        known = length > 5
        length_or_longest = ops.where(known, length, ops.full_like(length, longest))
        if longest > 5:
            rectification = ops.sqrt(
                (length_or_longest - 4) * (length_or_longest - 2) * longest
                / ((longest - 4) * (longest - 2) * length_or_longest)
            )  # fmt: skip
        else:
            rectification = ops.ones_like(length)  # unused: `known` is never true with such a short average
        corrected = rate / (1 - power_1)
        zero = ops.zeros_like(corrected)
        return (
            ops.where(known, zero, corrected),
            ops.where(known, corrected * rectification * ops.sqrt(1 - power_2), zero),
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments for `from_config`."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return {**super().get_config(), **own}
