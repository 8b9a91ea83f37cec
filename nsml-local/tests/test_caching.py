"""`nsml.cache` and `nsml.Visdom`."""

from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait

PROGRAM = """
import os, nsml
{function}
{call}
print(sorted(os.listdir("processed")), open("processed/a.txt").read())
"""
BODY = """
    print('called', kw)
    os.makedirs(output_path[0])
    open(output_path[0] + '/a.txt', 'w').write('A')
"""
WITH_DATA = f"def prepare(output_path, data, **kw):{BODY}"
WITHOUT = f"def prepare(output_path, **kw):{BODY}"


@pytest.mark.parametrize(
    ("function", "call"),
    [
        (WITH_DATA, "nsml.cache(prepare, ['./processed'], data=3, size=4)"),
        (WITH_DATA, "nsml.cache(preprocess_fn=prepare, data=None)"),
        (WITHOUT, "nsml.cache(prepare, output_path=['./processed'])"),
    ],
)
def test_the_function_is_called_once_and_later_sessions_use_its_files(
    nsml: Nsml, dataset: str, project: Path, function: str, call: str
) -> None:
    (project / "p.py").write_text(PROGRAM.format(function=function, call=call))
    first = nsml("logs", start_and_wait(nsml, "-e", "p.py")).out
    second = nsml("logs", start_and_wait(nsml, "-e", "p.py")).out
    assert "called" in first and "called" not in second
    assert all("['a.txt'] A" in shown for shown in (first, second))


COUNTS = """
import os, nsml
def prepare(output_path):
    print("called")
    open(output_path[0], "w").write(str(sum(len(files) for *_, files in os.walk(nsml.DATASET_PATH + "/train/train_data"))))
nsml.cache(prepare, "count.txt")
print("counted", open("count.txt").read())
"""


def test_after_a_new_push_of_the_dataset_the_function_is_called_again(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path
) -> None:
    (project / "p.py").write_text(COUNTS)
    assert "counted 8\n" in nsml("logs", start_and_wait(nsml, "-e", "p.py")).out
    nsml("dataset", "rm", "-f", dataset)
    next((tmp_path / "source" / "train").rglob("*.jpg")).unlink()
    nsml("dataset", "push", dataset, str(tmp_path / "source"))
    assert "counted 7\n" in nsml("logs", start_and_wait(nsml, "-e", "p.py")).out


@pytest.mark.parametrize("kept", [False, True], ids=["not kept yet", "kept already"])
def test_where_a_link_to_the_result_of_an_earlier_push_stands_the_result_of_the_new_one_is_used(
    nsml: Nsml, python: Nsml, dataset: str, project: Path, home: Path, tmp_path: Path, kept: bool
) -> None:
    (project / "p.py").write_text(COUNTS)
    start_and_wait(nsml, "-e", "p.py")
    assert "counted 8\n" in python("p.py", NSML_DATASET=dataset).out
    assert (project / "count.txt").is_symlink()
    nsml("dataset", "rm", "-f", dataset)
    next((tmp_path / "source" / "train").rglob("*.jpg")).unlink()
    nsml("dataset", "push", dataset, str(tmp_path / "source"))
    if kept:
        start_and_wait(nsml, "-e", "p.py")
    assert "counted 7\n" in python("p.py", NSML_DATASET=dataset).out
    results = (home / "output" / "tester" / "cache" / dataset).iterdir()
    assert sorted(result.read_text() for result in results) == ["7", "8"]


def test_a_result_that_an_older_version_kept_since_the_push_is_used(
    nsml: Nsml, dataset: str, project: Path, home: Path
) -> None:
    kept = home / "output" / "tester" / "cache" / dataset
    kept.mkdir(parents=True)
    (kept / "count%2etxt").write_text("8 earlier")
    (project / "p.py").write_text(COUNTS)
    shown = nsml("logs", start_and_wait(nsml, "-e", "p.py")).out
    assert "counted 8 earlier\n" in shown and "called" not in shown


@pytest.mark.parametrize("output", ["processed", "processed/a.txt"])
def test_on_a_disk_without_links_later_sessions_find_copies(
    nsml: Nsml, dataset: str, project: Path, output: str
) -> None:
    refuse = "def refuse(*_, **__): raise PermissionError(1, 'Operation not permitted')\nos.symlink = refuse"
    path = "output_path[0]" if output == "processed" else "os.path.dirname(output_path[0])"
    function = f"{refuse}\n{WITHOUT.replace('output_path[0]', path)}"
    function = function.replace("os.makedirs(", "os.makedirs(exist_ok=True, name=")
    (project / "p.py").write_text(PROGRAM.format(function=function, call=f"nsml.cache(prepare, '{output}')"))
    for _ in range(2):
        shown = nsml("logs", start_and_wait(nsml, "-e", "p.py")).out
        assert "['a.txt'] A" in shown
    assert "called" not in shown


@pytest.mark.parametrize("output", ["processed", "processed/large"])
def test_on_a_full_disk_a_program_goes_on_without_a_cache_and_says_so(
    project: Path, python: Nsml, home: Path, output: str
) -> None:
    function = (
        "import resource, signal\n"
        "def prepare(output_path):\n"
        "    os.makedirs('processed', exist_ok=True)\n"
        "    open('processed/a.txt', 'w').write('A')\n"
        "    open('processed/large', 'wb').write(b'x' * 200_000)\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    )
    (project / "p.py").write_text(PROGRAM.format(function=function, call=f"nsml.cache(prepare, '{output}')"))
    shown = python("p.py")
    assert shown.status == 0 and "['a.txt', 'large'] A" in shown.out
    (line,) = [line for line in shown.err.splitlines() if "nsml.cache" in line]
    assert f"{output} is not kept" in line and "File too large; free some space" in line
    assert str(home / "output" / "tester" / "cache" / "none") in line
    assert list((home / "output" / "tester" / "cache" / "none").iterdir()) == []


def test_where_links_are_impossible_results_are_copied_and_the_disk_is_not_made_to_write_them(
    project: Path, python: Nsml
) -> None:
    (project / "p.py").write_text(
        PROGRAM.format(
            function="os.sync = lambda: print('sync')\n"
            "def refuse(*_, **__): raise OSError\n"
            "os.symlink = refuse\n"
            "def prepare(output_path):\n"
            "    os.makedirs('processed')\n"
            "    open('processed/a.txt', 'w').write('A')\n",
            call="nsml.cache(prepare)",
        )
    )
    assert python("p.py").out.startswith("sync\n")
    (project / "processed").rename(project / "earlier")
    again = python("p.py").out
    assert "['a.txt'] A" in again and "sync" not in again and not (project / "processed").is_symlink()


def test_visdom_is_a_no_op_that_says_so_where_it_is_missing(project: Path, python: Nsml) -> None:
    (project / "p.py").write_text(
        "from nsml import Visdom\nv = Visdom(visdom=None, port=1)\nprint(v.line([1, 2], win='x'))"
    )
    shown = python("p.py")
    assert shown.out == "None\n" and "nsml.Visdom: nothing is drawn" in shown.err


def test_save_folder_keeps_a_folder_that_load_gets(project: Path, python: Nsml) -> None:
    (project / "kept").mkdir()
    (project / "kept" / "a").write_text("A")
    (project / "p.py").write_text(
        "import nsml\nnsml.bind(load=lambda d: print(open(d + '/a').read()))\nnsml.save_folder('x', 'kept')\nnsml.load('x')"
    )
    assert python("p.py").out == "A\n"


def test_a_function_may_take_the_output_path_behind_its_own_arguments(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "main.py").write_text(
        "import nsml\n"
        "def loader(data_path, size, output_path):\n"
        "    open(output_path[0], 'w').write(f'{size} of {data_path}')\n"
        "nsml.cache(loader, data_path='here', size=(2, 2), output_path=['./a.txt'])\n"
        "print(open('./a.txt').read())\n"
    )
    assert nsml("logs", start_and_wait(nsml)).out.startswith("(2, 2) of here\n")


@pytest.mark.parametrize("offline", [True, False])
def test_visdom_without_a_server_is_left_alone_but_where_it_needs_none(
    project: Path, python: Nsml, offline: bool
) -> None:
    (project / "visdom.py").write_text(
        "class Visdom:\n    def __init__(self, **kwargs): print('real')\n    def line(self, data): pass\n"
    )
    (project / "p.py").write_text(
        f"import visdom\nfrom nsml import Visdom\nVisdom(visdom=visdom, server='http://127.0.0.1', port=1, offline={offline}).line([1])"
    )
    shown = python("p.py")
    if offline:
        assert shown.out == "real\n"
    else:
        assert shown.out == "" and len(shown.err.splitlines()) == 1 and "no server answers at 127.0.0.1:1" in shown.err
