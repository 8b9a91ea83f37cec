"""`nsml fork` and `nsml resume`."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers import Nsml, lose, start_and_wait, wait_until

from nsml.store.home import open_home
from nsml.store.names import SessionName
from nsml.store.processes import identity
from nsml.store.sessions import create_session, find_session


def _epochs(nsml: Nsml, name: str) -> list[str]:
    return [line for line in nsml("logs", "-f", name).out.splitlines() if line.startswith("epoch")]


def test_a_fork_goes_on_from_the_newest_checkpoint_with_the_same_arguments(nsml: Nsml, dataset: str) -> None:
    start_and_wait(nsml, "-a", "--epoch 2")
    assert nsml("fork", "FUNDUS/1", "-a", "--epoch 4").out == "Session tester/FUNDUS/2 is started\n"
    assert _epochs(nsml, "FUNDUS/2") == ["epoch 2", "epoch 3"]


def test_a_fork_can_name_the_checkpoint(nsml: Nsml, trained: str) -> None:
    nsml("fork", trained, "-c", "0")
    assert _epochs(nsml, "FUNDUS/2") == ["epoch 1"]


def test_a_fork_has_checkpoints_of_its_own(nsml: Nsml, trained: str) -> None:
    before = nsml("model", "ls", "-j", trained).out
    nsml("fork", trained, "-c", "0")
    nsml("logs", "-f", "FUNDUS/2")
    assert nsml("model", "ls", "-j", trained).out == before
    assert [line.split()[0] for line in nsml("model", "ls", "FUNDUS/2").out.splitlines()[1:]] == ["1", "best"]


def test_a_fork_says_what_it_is_a_fork_of(nsml: Nsml, trained: str) -> None:
    nsml("fork", trained, "-c", "0")
    assert f"fork of {trained}, checkpoint 0" in nsml("ps", "-a").out


def test_a_killed_session_is_resumed_from_its_newest_checkpoint(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (
        (project / "main.py").read_text().replace("nsml.save(epoch)\n", "nsml.save(epoch)\n        input_wait(epoch)\n")
    )
    wait = "def input_wait(epoch):\n    import time\n    if epoch == 1 and not os.path.exists('again'):\n"
    wait += "        open('again', 'w').close(); time.sleep(60)\n\n\n"
    (project / "main.py").write_text(program.replace("parser = ", wait + "parser = ", 1))
    nsml("run", "-d", dataset, "-a", "--epoch 4")
    session = find_session(open_home(), SessionName("tester", dataset, 1))
    wait_until((session.work / "again").exists)  # since when checkpoint 1 is there
    lose(session)
    assert "resumed from checkpoint 1" in nsml("resume", "FUNDUS/1").out
    assert _epochs(nsml, "FUNDUS/1") == ["epoch 0", "epoch 1", "epoch 2", "epoch 3"]
    assert session.status() == "Exited"


def test_a_running_session_is_not_resumed(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "sleep.py").write_text("import nsml, time; nsml.save(1); time.sleep(60)")
    nsml("run", "-d", dataset, "-e", "sleep.py")
    wait_until(lambda: "Running" in nsml("ps").out)
    refused = nsml("resume", "FUNDUS/1")
    assert refused.status == 2 and "has not ended" in refused.err
    nsml("stop", "-f", "FUNDUS/1")


def test_of_several_resumes_at_once_one_starts_the_session_and_the_others_say_that_it_runs(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    (project / "main.py").write_text(
        "import sys, time, nsml\n'--pause'\nif '--pause' in sys.argv:\n    time.sleep(60)\nnsml.save(1)\n"
    )
    name = start_and_wait(nsml)
    command = [sys.executable, "-m", "nsml", "resume", name]
    started = [
        subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ended = [(*each.communicate(), each.returncode) for each in started]
    assert sorted(status for _, _, status in ended) == [0, 2, 2]
    assert sum("is resumed" in out for out, _, _ in ended) == 1
    assert sum(f"session {name} has not ended (" in err for _, err, _ in ended) == 2
    nsml("stop", "-f", name)


@pytest.mark.parametrize("verb", ["fork", "resume"])
def test_a_session_without_a_checkpoint_cannot_go_on(nsml: Nsml, dataset: str, project: Path, verb: str) -> None:
    (project / "none.py").write_text("print('nothing saved')")
    refused = nsml(verb, start_and_wait(nsml, "-e", "none.py"))
    assert refused.status == 2 and "has no checkpoint" in refused.err


def test_stop_takes_a_pattern_and_leaves_ended_sessions_alone(nsml: Nsml, trained: str, project: Path) -> None:
    (project / "sleep.py").write_text("import time; time.sleep(60)")
    for _ in range(2):
        nsml("run", "-d", "FUNDUS", "-e", "sleep.py")
    wait_until(lambda: nsml("ps").out.count("Running") == 2)
    assert nsml("stop", "-f", "FUNDUS/*").out.count("is stopped") == 2
    assert nsml("ps", "-a").out.count("Stopped") == 2


def test_a_resume_that_fails_loses_nothing_that_the_session_wrote(
    nsml: Nsml, trained: str, project: Path, home: Path
) -> None:
    written = home / "sessions" / trained / "work" / "written.txt"
    written.write_text("kept")
    full = f"trap '' XFSZ; ulimit -f 0; exec {sys.executable} -m nsml resume {trained}"
    ended = subprocess.run(["bash", "-c", full], cwd=project, capture_output=True, text=True)
    assert ended.returncode == 1 and len(ended.stderr.splitlines()) == 1
    assert written.read_text() == "kept"


def test_resume_takes_a_pattern(nsml: Nsml, trained: str) -> None:
    start_and_wait(nsml)
    resumed = nsml("resume", "FUNDUS/*").out.splitlines()
    assert [line.split()[1] for line in resumed] == ["tester/FUNDUS/1", "tester/FUNDUS/2"]


def test_of_several_sessions_those_that_can_be_are_resumed_and_removed_and_the_status_says_that_some_are_not(
    nsml: Nsml, dataset: str
) -> None:
    no_code = {"entry": "main.py", "arguments": []}
    create_session(open_home(), "tester", "FUNDUS", no_code).write_state("Exited")
    start_and_wait(nsml)
    resumed = nsml("resume", "FUNDUS/*")
    assert resumed.out.split()[:2] == ["Session", "tester/FUNDUS/2"] and resumed.status == 1
    warning, last = resumed.err.splitlines()
    assert "FUNDUS/1 has no copy of its code" in warning
    assert last == "nsml: 1 of the 2 sessions of FUNDUS/* are not resumed"
    nsml("logs", "-f", "FUNDUS/2")
    waits = create_session(open_home(), "tester", "FUNDUS", no_code)
    waits.write_state("Running", process=identity())
    removed = nsml("rm", "-f", "FUNDUS/*")
    assert removed.out.count("is removed") == 2 and removed.status == 1
    assert removed.err.splitlines()[-1] == "nsml: 1 of the 3 sessions of FUNDUS/* are not removed"


# Saves at each start, as the baseline of KERIS 2020 does, and so before `paused` has loaded anything.
SAVES_FIRST = """
import argparse, json, nsml
parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
args = parser.parse_args()
state = {"epoch": 0}
nsml.bind(save=lambda d: json.dump(state, open(d + "/s", "w")), load=lambda d: state.update(json.load(open(d + "/s"))))
nsml.save("checkpoint")
if args.pause:
    nsml.paused(scope=locals())
state["epoch"] += 1
print("epoch", state["epoch"])
nsml.save(state["epoch"])
"""


@pytest.mark.parametrize("verb", ["fork", "resume"])
def test_a_checkpoint_saved_before_paused_has_loaded_is_not_stored(
    nsml: Nsml, dataset: str, project: Path, verb: str
) -> None:
    (project / "main.py").write_text(SAVES_FIRST)
    name = start_and_wait(nsml)
    for number in (2, 3):
        nsml(verb, name)
        name = f"FUNDUS/{number}" if verb == "fork" else name
        assert _epochs(nsml, name)[-1] == f"epoch {number}"
    assert "checkpoint checkpoint is not saved: this session continues from checkpoint 2" in nsml("logs", name).out


def test_a_save_before_paused_by_hand_is_not_what_paused_loads(python: Nsml, dataset: str, project: Path) -> None:
    (project / "main.py").write_text(SAVES_FIRST)
    python("main.py", NSML_DATASET=dataset)
    for epoch in (2, 3):
        assert python("main.py", "--pause", "1", NSML_DATASET=dataset).out == f"epoch {epoch}\n"


@pytest.mark.parametrize("verb", ["fork", "resume"])
def test_going_on_without_loading_is_a_failure_that_overwrites_nothing(
    nsml: Nsml, dataset: str, project: Path, verb: str
) -> None:
    (project / "main.py").write_text(
        "import nsml\nnsml.bind(save=lambda d: open(d + '/f', 'w').close())\nnsml.save('best')\nprint('trained')\n"
    )
    name = start_and_wait(nsml)
    before = nsml("model", "ls", "-j", name).out
    nsml(verb, name)
    shown = nsml("logs", "-f", "FUNDUS/2" if verb == "fork" else name).out
    assert "checkpoint best is not saved" in shown and "the program has not loaded; earlier checkpoints stay" in shown
    assert "ended with exit status 1" in shown
    assert nsml("model", "ls", "-j", name).out == before


def test_a_process_started_after_loading_may_save(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "worker.py").write_text(
        "import nsml\nnsml.bind(save=lambda d: open(d + '/f', 'w').close())\nnsml.save('of the worker')\n"
    )
    (project / "main.py").write_text(
        "import nsml, subprocess, sys\nnsml.bind(save=lambda d: open(d + '/f', 'w').close(), load=lambda d: None)\n"
        "nsml.paused(scope=locals())\nsubprocess.run([sys.executable, 'worker.py'], check=True)\n"
    )
    name = start_and_wait(nsml)
    nsml("resume", name)
    assert "exit status 0" in nsml("logs", "-f", name).out.splitlines()[-1]
