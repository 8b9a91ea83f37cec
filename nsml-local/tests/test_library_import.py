"""What `import nsml` brings into a process."""

import json
import subprocess
import sys

import nsml


def _modules_after(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; import json; print(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_nsml_imports_nothing_outside_the_standard_library() -> None:
    others = {m.partition(".")[0] for m in _modules_after("import nsml")} - {"nsml", "json"}
    assert others <= set(sys.stdlib_module_names)


def test_importing_nsml_imports_none_of_its_own_modules_yet() -> None:
    assert {m for m in _modules_after("import nsml") if m.startswith("nsml.")} == set()


def test_reading_a_constant_imports_neither_numpy_nor_opencv_nor_click() -> None:
    assert not {"numpy", "cv2", "click", "tensorflow"} & _modules_after("import nsml; nsml.DATASET_PATH")


def test_the_exported_names_are_those_of_the_contract() -> None:
    constants = "DATASET_NAME DATASET_PATH GPU_NUM HAS_DATASET IS_DATASET IS_ON_NSML NSML_NFS_OUTPUT SESSION_NAME"
    constants += " MY_RANK PARALLEL_PORTS PARALLEL_WORLD"
    calls = "bind cache copy describe infer load paused report save save_folder training_photographs Visdom"
    assert set(nsml.__all__) == {*constants.split(), *calls.split(), "NsmlError"}


def test_every_exported_name_can_be_read() -> None:
    names = [name for name in nsml.__all__ if name != "SESSION_NAME"]
    assert all(getattr(nsml, name) is not None for name in names)


def test_the_module_of_the_constants_is_there_after_importing_nsml_alone() -> None:
    assert "nsml.constants" in _modules_after("import nsml; assert nsml.constants.GPU_NUM == nsml.GPU_NUM")


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(nsml, "no_such_name")
