"""RAdam for Keras 3, which brings none of its own."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class _StepSizes:
    """What `RAdam._step_sizes` gave in the current step, where Keras looks for nothing to save."""

    sizes: tuple[Any, Any] | None = None


@keras.saving.register_keras_serializable(package="fundus")
class RAdam(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Rectified Adam (Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020, algorithm 2).

    In the first steps the second moment is known from too few gradients to divide by, so the step is plain momentum; from then on it
    is Adam's, scaled by how well the second moment is known. Hence no warm-up is needed. As in PyTorch, rectification begins where the
    length of the approximated average exceeds 5 (step 6 with the default `beta_2`), and epsilon is added to the root of the second
    moment before its bias is corrected.

    Args:
        learning_rate: a float, a schedule, or a function without arguments.
        beta_1, beta_2: decay of the first and second moment, in 0 <= beta < 1.
        epsilon: added to the root of the second moment.
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
        """Make both moments of each variable, in its shape and dtype."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """One step for all variables."""
        self._of_this_step.sizes = None
        try:
            return super().apply(grads, trainable_variables)
        finally:
            self._of_this_step.sizes = None  # in a traced function they are of its graph alone

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step for one variable."""
        dtype = variable.dtype
        gradient = ops.cast(gradient, dtype)
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        self.assign_add(momentum, ops.multiply(ops.subtract(gradient, momentum), 1 - self.beta_1))
        self.assign_add(velocity, ops.multiply(ops.subtract(ops.square(gradient), velocity), 1 - self.beta_2))

        # Worked out once for all variables: traced for each, it would be a third of the time until a training begins.
        sizes = self._of_this_step.sizes = self._of_this_step.sizes or self._step_sizes(learning_rate)
        plain, rectified = sizes
        # Where one of the two sizes is zero its term vanishes, which spares a branch that XLA and distribution would have to trace.
        adaptive = ops.divide(ops.cast(rectified, dtype), ops.add(ops.sqrt(velocity), self.epsilon))
        adaptive = ops.where(rectified > 0, adaptive, ops.zeros_like(adaptive))
        self.assign_sub(variable, ops.multiply(momentum, ops.add(ops.cast(plain, dtype), adaptive)))

    def _step_sizes(self, learning_rate: Any) -> tuple[Any, Any]:
        """What the momentum is multiplied by in the steps before rectification, and after (then over the root of the second moment).

        Scalars in float64: the length of the average is a difference of two numbers near 2000 that is to be compared with 5.
        """
        rate = ops.cast(learning_rate, "float64")
        step = ops.cast(self.iterations + 1, "float64")
        # Not ops.cast, which takes a Python float through float32.
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
            rectification = ops.ones_like(length)  # too short a memory: `known` is never true
        corrected = rate / (1 - power_1)
        zero = ops.zeros_like(corrected)
        return (
            ops.where(known, zero, corrected),
            ops.where(known, corrected * rectification * ops.sqrt(1 - power_2), zero),
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments, as `from_config` takes them."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return {**super().get_config(), **own}
