"""Write tests/data/radam_reference.json: what `torch.optim.RAdam` makes of known gradients, and `AveragedModel` of that, in float64.

    pip install torch numpy
    python tests/make_radam_reference.py

The tests read the file, so that they need no PyTorch.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

STEPS, SIZE, RATE = 500, 8, 0.003
CASES = {
    "plain": {},
    "decoupled": {"weight_decay": 0.05, "decoupled_weight_decay": True},
    "changing rate": {},
    "sparse": {},
    "short memory": {"betas": (0.8, 0.9), "eps": 1e-6},
    "never rectified": {"betas": (0.9, 0.6)},
}
KEPT = [1, 2, 5, 6, 7, 20, 100, 250, 500]
# Momentum of an exponential average of the variable, of the case "plain".
AVERAGING = 0.9


def gradient(case: str, step: int) -> np.ndarray:
    """The gradient of a step (from 1): waves of different lengths and heights; in the case "sparse" mostly zero, one always."""
    index = np.arange(SIZE)
    wave = np.sin(0.37 * step * (index + 1)) * 10.0 ** (index % 4 - 2) + 0.3 * np.cos(0.011 * step + index)
    return np.where((step + index) % 7 == 0, wave, 0.0) * (index > 0) if case == "sparse" else wave


def rate(case: str, step: int) -> float:
    """The learning rate of a step (from 1)."""
    return RATE * (0.1 + 0.9 * np.cos(0.01 * step) ** 2) if case == "changing rate" else RATE


def start() -> np.ndarray:
    """The variable before the first step."""
    return np.linspace(-0.3, 0.3, SIZE)


def main() -> None:
    import torch
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    values: dict[str, dict[str, list[float]]] = {}
    for case, arguments in CASES.items():
        variable = torch.tensor(start(), dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.RAdam([variable], lr=RATE, **arguments)
        values[case] = {}
        for step in range(1, STEPS + 1):
            optimizer.param_groups[0]["lr"] = rate(case, step)
            variable.grad = torch.tensor(gradient(case, step))
            optimizer.step()
            if step in KEPT:
                values[case][str(step)] = variable.tolist()
    module = torch.nn.ParameterList([torch.nn.Parameter(torch.tensor(start(), dtype=torch.float64))])
    optimizer = torch.optim.RAdam(module.parameters(), lr=RATE)
    averaged = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(AVERAGING))
    averages: dict[str, list[float]] = {}
    for step in range(1, STEPS + 1):
        module[0].grad = torch.tensor(gradient("plain", step))
        optimizer.step()
        averaged.update_parameters(module)
        if step in KEPT:
            averages[str(step)] = averaged.module[0].tolist()
    path = Path(__file__).parent / "data" / "radam_reference.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps({"torch": torch.__version__, "cases": values, "averages": averages}, indent=1) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
