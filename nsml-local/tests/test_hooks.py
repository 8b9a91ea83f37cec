"""`bind`, `save`, `load` and `infer` in programs started by hand and under `nsml run`."""

import json
from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait

from nsml.store.checkpoints import Checkpoint, list_checkpoints
from nsml.store.home import open_home
from nsml.store.sessions import list_sessions


def _checkpoints() -> dict[str, Path]:
    (session,) = list_sessions(open_home())
    return {c.name: c.model for c in list_checkpoints(session.checkpoints) if isinstance(c, Checkpoint)}


def _program(project: Path, code: str) -> None:
    (project / "p.py").write_text("import os, nsml\n" + code)


def test_a_save_hook_gets_a_folder_that_exists(project: Path, python: Nsml) -> None:
    _program(project, "nsml.bind(save=lambda d: print(os.path.isdir(d)))\nnsml.save('x')")
    assert python("p.py").out == "True\n"


def test_a_save_hook_may_write_one_file_at_exactly_the_path(project: Path, python: Nsml) -> None:
    _program(
        project,
        "nsml.bind(lambda path: open(path, 'w').write('w'), lambda p: print(open(p).read()))\nnsml.save(1)\nnsml.load(1)",
    )
    assert python("p.py").out == "w\n"


def test_saves_without_a_name_in_the_same_second_are_all_stored(nsml: Nsml, project: Path, python: Nsml) -> None:
    save = "nsml.bind(save=lambda d: open(os.path.join(d, 'n'), 'w').write(str(n)))\n"
    # From several processes of the program, too.
    forks = "import time\nn = 0\nnsml.save('first')\ntime.strftime = lambda form: '2026-01-01_00-00-00'\n"
    forks += "children = []\nfor n in range(1, 5):\n    children.append(os.fork())\n    if not children[-1]: break\n"
    forks += "else: n = 5\n[nsml.save() for _ in range(2)]\n"
    forks += "if n < 5: os._exit(0)\nassert [os.waitpid(child, 0)[1] for child in children] == [0] * 4\n"
    _program(project, save + forks)
    ended = python("p.py", PYTHONWARNINGS="ignore")
    assert ended.status == 0, ended.err
    stored = {name: (model / "n").read_text() for name, model in _checkpoints().items()}
    assert stored.pop("first") == "0"
    assert sorted(stored.values()) == sorted("1122334455")
    assert {"2026-01-01_00-00-00", "2026-01-01_00-00-00_2", "2026-01-01_00-00-00_10"} <= stored.keys()
    (session,) = list_sessions(open_home())
    assert "2026-01-01_00-00-00_10" in nsml("model", "ls", str(session.name)).out


def test_a_save_hook_that_fails_both_ways_raises_its_own_error(project: Path, python: Nsml) -> None:
    _program(project, "def save(path): raise ValueError('mine')\nnsml.bind(save=save)\nnsml.save('x')")
    ended = python("p.py")
    assert ended.status == 1 and ended.err.splitlines()[-1] == "ValueError: mine" and _checkpoints() == {}


def test_saving_with_nothing_bound_keeps_an_empty_checkpoint_and_says_so(project: Path, python: Nsml) -> None:
    _program(project, "nsml.save('saved')")
    ended = python("p.py")
    assert ended.status == 0 and "no save function is bound" in ended.err and list(_checkpoints()) == ["saved"]


@pytest.mark.parametrize(
    "call", ["nsml.save(4)", "nsml.save('4')", "nsml.save(checkpoint=4)", "nsml.save(iteration=4)"]
)
@pytest.mark.parametrize("back", ["nsml.load('4')", "nsml.load(checkpoint=4)", "nsml.load(iteration='4')"])
def test_a_number_and_its_text_name_the_same_checkpoint(project: Path, python: Nsml, call: str, back: str) -> None:
    _program(
        project,
        f"nsml.bind(save=lambda d: open(d + '/f', 'w').close(), load=lambda d: print(os.listdir(d)))\n{call}\n{back}",
    )
    assert python("p.py").out == "['f']\n"


def test_the_last_hook_bound_that_is_not_none_counts(project: Path, python: Nsml) -> None:
    _program(
        project,
        "nsml.bind(infer=lambda data: 'old')\nnsml.bind(infer=lambda data: data * 2)\nnsml.bind(save=print)\nprint(nsml.infer(4))",
    )
    assert python("p.py").out == "8\n"


def test_extra_keywords_of_bind_reach_save_and_load(project: Path, python: Nsml) -> None:
    _program(
        project,
        "f = lambda d, **k: print(k)\nnsml.bind(save=f, load=f, model='m', use_nsml_legacy=False)\nnsml.save(1)\nnsml.load(1)",
    )
    assert python("p.py").out == "{'model': 'm'}\n" * 2


def test_save_fn_and_load_fn_stand_in_for_the_bound_hooks(project: Path, python: Nsml) -> None:
    _program(
        project,
        "nsml.save('x', save_fn=lambda d: open(d + '/own', 'w').close())\nnsml.load('x', load_fn=lambda d: print(os.listdir(d)))",
    )
    assert python("p.py").out == "['own']\n"


def test_a_checkpoint_of_another_session_can_be_loaded_and_saved_as_ones_own(
    project: Path, nsml: Nsml, trained: str
) -> None:
    (project / "again.py").write_text(
        "import json, nsml\nbox = {}\n"
        "def save(d): json.dump(box, open(d + '/model.json', 'w'))\n"
        "def load(d): box.update(json.load(open(d + '/model.json')))\n"
        "nsml.bind(save=save, load=load)\n"
        f"nsml.load(checkpoint='0', session='{trained}')\nnsml.save('saved')\nexit()\n"
    )
    name = start_and_wait(nsml, "-e", "again.py")
    assert '"saved"' in nsml("model", "ls", "-j", name).out


def test_a_damaged_checkpoint_is_refused_before_the_load_hook_runs(project: Path, python: Nsml) -> None:
    hooks = "nsml.bind(save=lambda d: open(d + '/f', 'w').write('abc'), load=lambda d: print('loaded'))\n"
    _program(project, hooks + "nsml.save('x')")
    python("p.py")
    (_checkpoints()["x"] / "f").write_text("abd")
    _program(project, hooks + "nsml.load('x', session='none/1')")
    ended = python("p.py")
    assert ended.status == 1 and "damaged" in ended.err and "loaded" not in ended.out


def test_a_full_disk_during_a_save_leaves_the_checkpoint_before_it(project: Path, python: Nsml) -> None:
    _program(
        project,
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "size = 10\n"
        "nsml.bind(save=lambda d: open(d + '/f', 'wb').write(b'x' * size))\n"
        "nsml.save('x')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "size = 1_000_000\n"
        "try:\n    nsml.save('x')\nexcept OSError as error:\n    print('full')\n",
    )
    assert python("p.py").out == "full\n"
    assert (_checkpoints()["x"] / "f").stat().st_size == 10


def test_a_foreground_session_gets_a_number_and_keeps_its_checkpoints(
    project: Path, python: Nsml, nsml: Nsml, dataset: str
) -> None:
    ended = python("main.py", NSML_DATASET=dataset)
    assert "Session tester/FUNDUS/1 is started" in ended.err
    assert [line.split()[0] for line in nsml("model", "ls", "FUNDUS/1").out.splitlines()[1:]] == ["0", "1", "best"]
    assert "Exited" in nsml("ps", "-a").out


def test_a_foreground_session_that_fails_is_shown_as_failed(project: Path, python: Nsml, nsml: Nsml) -> None:
    _program(project, "nsml.save('x')\nraise SystemError('no')")
    python("p.py")
    assert "Failed (1)" in nsml("ps", "-a").out


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("exit(3)", 3),
        ("raise SystemExit(4)", 4),
        ("from os import sys as s; s.exit(5)", 5),
        ("leave(6)", 6),
        ("raise SystemExit('no data')", 1),
        ("quit()", 0),
        ("try:\n    sys.exit(7)\nexcept SystemExit:\n    pass", 0),
        ("if os.fork() == 0:\n    exit(8)\nos.wait(); exit(9)", 9),
        ("import subprocess; subprocess.run([sys.executable, '-c', 'exit(2)'])", 0),
    ],
)
def test_a_foreground_session_is_noted_with_the_status_that_the_shell_gets(
    project: Path, python: Nsml, nsml: Nsml, ending: str, status: int
) -> None:
    program = f"import os, sys\nfrom sys import exit as leave\nimport nsml\nnsml.report(step=1, loss=1.0)\n{ending}\n"
    (project / "ends.py").write_text(program)
    assert python("ends.py").status == status
    (noted,) = json.loads(nsml("ps", "-a", "-j").out)
    assert (noted["status"], noted["exit_status"]) == ("Failed" if status else "Exited", status)


def test_a_foreground_session_can_be_submitted(python: Nsml, nsml: Nsml, dataset: str) -> None:
    python("main.py", NSML_DATASET=dataset)
    assert nsml("submit", "FUNDUS/1", "best").out.splitlines() == ["Score: 100.010001", "Done"]


def test_pause_outside_a_session_goes_on_from_the_checkpoint_named(python: Nsml, dataset: str) -> None:
    python("main.py", "--epoch", "3", NSML_DATASET=dataset)
    resumed = python("main.py", "--pause", "1", "--iteration", "0", "--epoch", "3", NSML_DATASET=dataset)
    assert resumed.out.splitlines() == ["epoch 1", "epoch 2"]


def test_mode_test_outside_a_session_prints_the_result_of_the_newest_checkpoint(python: Nsml, dataset: str) -> None:
    python("main.py", NSML_DATASET=dataset)
    shown = python("main.py", "--mode", "test", NSML_DATASET=dataset)
    assert "checkpoint best of session tester/FUNDUS/1" in shown.out
    assert shown.out.splitlines()[-1] == "Score: 100.010001"


def test_mode_test_outside_a_session_opens_no_session(python: Nsml, nsml: Nsml, dataset: str) -> None:
    python("main.py", NSML_DATASET=dataset)
    python("main.py", "--mode", "test", NSML_DATASET=dataset)
    assert len(nsml("ps", "-a").out.splitlines()) == 2


def test_mode_test_without_any_checkpoint_says_where_to_look(python: Nsml, dataset: str) -> None:
    shown = python("main.py", "--mode", "test", NSML_DATASET=dataset)
    assert shown.status == 1 and "no session of tester on FUNDUS has a checkpoint" in shown.err.splitlines()[-1]


def test_a_load_hook_that_reads_a_file_gets_the_one_that_was_saved(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    assert 'open(os.path.join(dir_path, "model.json")) as' in program
    (project / "main.py").write_text(
        program.replace('open(os.path.join(dir_path, "model.json")) as', "open(dir_path) as")
    )
    assert nsml("submit", start_and_wait(nsml), "best").out.startswith("Score: 100.010001\n")


def test_keywords_of_a_bind_do_not_outlive_its_hooks(python: Nsml, project: Path) -> None:
    (project / "main.py").write_text(
        "import nsml\n"
        "nsml.bind(infer=len, model=1)\n"
        "nsml.bind(save=lambda path: open(path + '/a', 'w').close())\n"
        "nsml.save('result')\n"
        "nsml.save('other', save_fn=lambda path: open(path + '/b', 'w').close())\n"
    )
    assert python("main.py").status == 0


def test_each_hook_gets_the_keywords_that_it_takes(project: Path, python: Nsml) -> None:
    _program(
        project,
        "def save(path, model, **more): print(model, more)\n"
        "def load(path): print('load')\n"
        "def save_fn(path, *, real): print('save_fn', real)\n"
        "def load_fn(real, model='own'): print('load_fn', model)\n"
        "nsml.bind(save=save, load=load, real=True, model='m')\nnsml.save(1)\nnsml.load(1)\n"
        "nsml.save(2, save_fn=save_fn)\nnsml.load(2, load_fn=load_fn)\n",
    )
    assert python("p.py").out.splitlines() == ["m {'real': True}", "load", "save_fn True", "load_fn m"]


def test_a_keyword_that_a_partial_function_has_already_is_its_own(project: Path, python: Nsml) -> None:
    _program(
        project,
        "from functools import partial\nsave = partial(lambda path, model: print(model), model='mine')\n"
        "nsml.bind(model='bound')\nnsml.save('x', save_fn=save)",
    )
    assert python("p.py").out == "mine\n"
