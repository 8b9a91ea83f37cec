"""`nsml.bind(model=..., optimizer=...)` without functions: what is saved, and put back into the same objects."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers import Ended, Nsml

from nsml.store.checkpoints import Checkpoint, list_checkpoints
from nsml.store.home import open_home
from nsml.store.sessions import list_sessions

# An object in PyTorch's manner, of a library that nobody has imported.
STATE = """
class Network:
    def __init__(self, weight):
        self.weight = weight
    def state_dict(self):
        return {"weight": self.weight}
    def load_state_dict(self, state):
        self.weight = state["weight"]
"""


@pytest.fixture
def program(project: Path, python: Nsml) -> Nsml:
    """`program(code)` runs a program by hand, in the folder of another that it may import nothing from."""

    def run(code: str, **environment: str) -> Ended:
        (project / "p.py").write_text(f"import nsml\n{code}")
        return python("p.py", **environment)

    return run


def _files() -> list[str]:
    (session,) = list_sessions(open_home())
    (checkpoint,) = list_checkpoints(session.checkpoints)
    assert isinstance(checkpoint, Checkpoint)
    return sorted(os.listdir(checkpoint.model))


def test_objects_with_a_state_are_put_back(program: Nsml) -> None:
    saved = program(f"{STATE}\nnetwork = Network(3)\nnsml.bind(model=network)\nnsml.save('x')\n"
                    "network.weight = 0\nnsml.load('x')\nprint(network.weight)")  # fmt: skip
    assert saved.out == "3\n" and _files() == ["model.pickle"]


def test_dicts_lists_arrays_and_attributes_are_put_back_into_the_same_objects(program: Nsml) -> None:
    shown = program(
        "import numpy\nclass Scaler:\n    mean = None\n"
        "table, names, array, scaler = {'a': 1}, ['x'], numpy.arange(3), Scaler()\nscaler.mean = 4\n"
        "nsml.bind(table=table, names=names, array=array, scaler=scaler)\nnsml.save('x')\n"
        "table['b'] = 2\nnames.append('y')\narray[:] = 0\nscaler.mean = 0\nnsml.load('x')\nprint(table, names, array, scaler.mean)"
    )
    assert shown.out == "{'a': 1} ['x'] [0 1 2] 4\n" and "not everything is restored" not in shown.err


def test_the_options_of_this_process_are_not_those_of_the_one_that_saved(program: Nsml) -> None:
    bind = "from argparse import Namespace\nargs = Namespace(rate={rate})\nnsml.bind(args=args)\n"
    program(bind.format(rate=1) + "nsml.save('x')")
    assert program(bind.format(rate=2) + "nsml.load('x')\nprint(args.rate)").out == "2\n"


def test_what_cannot_be_changed_in_place_is_named(program: Nsml) -> None:
    program("nsml.bind(epoch=5, real=True)\nnsml.save('x')")
    shown = program("nsml.bind(epoch=0, real=True)\nnsml.load('x')")
    assert shown.status == 0 and "not everything is restored: epoch (0) cannot be changed in place to 5" in shown.err


def test_objects_that_cannot_be_pickled_are_named_and_the_others_saved(program: Nsml) -> None:
    shown = program("nsml.bind(table={'a': 1}, stream=open(__file__), rule=lambda x: x)\nnsml.save('x')")
    assert (
        shown.status == 0 and "2 of 3 objects cannot be pickled and are not saved: stream (TextIOWrapper" in shown.err
    )
    assert _files() == ["table.pickle"]


def test_an_object_that_the_checkpoint_lacks_is_named(program: Nsml) -> None:
    program("nsml.bind(table={})\nnsml.save('x')")
    shown = program("nsml.bind(other={})\nnsml.load('x')")
    assert "other is not in the checkpoint" in shown.err and "no table is bound" in shown.err


def test_a_pickle_of_another_user_is_refused(program: Nsml) -> None:
    program("nsml.bind(table={'a': 1})\nnsml.save('x')")
    shown = program("nsml.bind(table={})\nnsml.load('x', session='tester/none/1')", NSML_USER="other")
    assert shown.status == 1 and "another user's and contains table.pickle" in shown.err.splitlines()[-1]


def test_a_function_that_is_bound_goes_before_the_objects(program: Nsml) -> None:
    shown = program(
        "nsml.bind(save=lambda d: open(d + '/own', 'w').close(), load=lambda d: print('own'), table={})\nnsml.save('x')\nnsml.load('x')"
    )
    assert shown.out == "own\n" and _files() == ["own"]


needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")

TORCH = """
import torch
torch.manual_seed({seed})
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.5)
nsml.bind(model=model, optimizer=optimizer)
def step():
    optimizer.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
"""


@needs_torch
def test_a_pytorch_module_and_its_optimizer_go_on_as_if_never_interrupted(program: Nsml) -> None:
    straight = program(TORCH.format(seed=1) + "step()\nnsml.save('x')\nstep()\nprint(model.weight)").out
    assert _files() == ["model.pt", "optimizer.pt"]
    assert program(TORCH.format(seed=2) + "nsml.load('x')\nstep()\nprint(model.weight)").out == straight


@needs_torch
def test_torch_load_reads_pickles_of_ones_own_checkpoints_only(program: Nsml) -> None:
    hooks = (
        "import os, torch\nfrom argparse import Namespace\n"
        "save = lambda d: torch.save(Namespace(rate=1), d + '/a')\nload = lambda d: print(torch.load(d + '/a').rate)\n"
        "nsml.bind(save=save, load=load)\n"
    )
    again = "nsml.load('x', session='tester/none/1')\n" * 2 + "print('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD' in os.environ)"
    program(hooks + "nsml.save('x')")
    own = program(hooks + again)
    assert own.out == "1\n1\nFalse\n" and own.err.count("nsml.load: TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1") == 1
    another = program(hooks + again, NSML_USER="other")
    assert another.status == 1 and "the checkpoint is tester's and contains a pickle" in another.err.splitlines()[-1]


KERAS = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy, tensorflow
keras.utils.set_random_seed({seed})
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
optimizer = keras.optimizers.Adam(0.5)
graph = tensorflow.Graph()
with graph.as_default():
    count = tensorflow.compat.v1.get_variable("count", initializer={seed})
    sess = tensorflow.compat.v1.Session(graph=graph)
    sess.run(tensorflow.compat.v1.global_variables_initializer())
nsml.bind(model=model, optimizer=optimizer, sess=sess, module=tensorflow.Module(name="m"))
def step():
    with tensorflow.GradientTape() as tape:
        loss = tensorflow.reduce_sum(model(numpy.ones((1, 2), "float32")))
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
def show():
    print(model.get_weights(), sess.run(count))
"""


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_a_keras_model_its_optimizer_and_a_tensorflow_session_go_on_as_if_never_interrupted(program: Nsml) -> None:
    straight = program(KERAS.format(seed=1) + "step()\nnsml.save('x')\nstep()\nshow()").out
    assert _files()[:2] == ["model.weights.h5", "module.ckpt.data-00000-of-00001"] and "sess.ckpt.index" in _files()
    again = program(KERAS.format(seed=2) + "nsml.load('x')\nstep()\nshow()")
    assert straight and again.out == straight, again.err
