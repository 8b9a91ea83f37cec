"""The page on what a network has learned: whole, offline, escaped, and honest about what is missing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from dataprep.photograph import Preparation, prepare_file
from evidence import drawing
from evidence.report import plots, requirements, write
from evidence.report.calibration import fit_temperature, reliability
from evidence.report.figures import Calibration
from evidence.report.lesions import look_at_lesions
from evidence.report.pictures import MISTAKES, surest, worst_mistakes
from evidence.report.requirements import ReportError
from evidence.report.subject import View, only, subject_of
from evidence.report.write import write_report
from model.ensemble import Ensemble, combine
from model.network import Network
from model.records import Baseline, Epoch, Predictions
from tests import small_network

HISTORY = [
    Epoch(number, "strong" if number < 4 else "gentle", 0.01, 2 / number, 0.4, 1.5 / number, 0.5, 50.0)
    for number in range(1, 6)
]


def draw(path: Path, seed: int, lesion: bool) -> None:
    """A round photograph, and where `lesion` is a bright blot with its mark."""
    rng = np.random.default_rng(seed)
    image = np.zeros((96, 120, 3), np.uint8)
    cv2.circle(image, (60, 48), 44, (60, 90, 170), -1)
    marks = np.zeros((96, 120), np.uint8)
    if lesion:
        cv2.circle(marks, tuple(int(v) for v in rng.integers(40, 60, 2)), 9, 255, -1)
        image[marks > 0] = (250, 250, 250)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    target = path.parents[2] / "lesions" / path.parent.name / f"{path.stem}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(target), marks)


def answered(samples: list[str], classes: tuple[str, ...], labels: list[int], wrong: list[int]) -> Predictions:
    rng = np.random.default_rng(0)
    said = [(label + 1) % len(classes) if number in wrong else label for number, label in enumerate(labels)]
    probabilities = rng.dirichlet(np.ones(len(classes)), len(labels)) + np.eye(len(classes))[said]
    return Predictions(samples, [str(n // 2) for n in range(len(labels))], np.array(labels),
                       (probabilities / 2).astype(np.float32))  # fmt: skip


def network_on(folder: Path, classes: tuple[str, ...], labels: list[int], wrong: list[int]) -> Network:
    """A network that has answered drawn photographs, those of the numbers `wrong` wrongly, below `folder`."""
    samples = []
    for number, label in enumerate(labels):
        name = f"{classes[label]}/<b>{number:02d}&amp;.jpg"
        draw(folder / "train_data" / name, number, lesion=label > 0)
        samples.append(name)
    network = small_network.network(classes=classes, epoch=5, phase="gentle", best_loss=0.5, best_epoch=3)
    network.validation = answered(samples, classes, labels, wrong)
    network.history = list(HISTORY)
    return network


class Links(HTMLParser):
    """What a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset", "action")]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report on a network that made three mistakes, of which one photograph is gone since."""
    root = tmp_path_factory.mktemp("report")
    network = network_on(root, ("NORMAL", "AMD", "RVO", "DMR"), [0, 1, 3] * 6, wrong=[1, 2, 4])
    assert network.validation is not None
    (root / "train_data" / network.validation.samples[4]).unlink()
    write_report(network, root / "train_data", root / "out", "FUNDUS & <Co>, checkpoint best")
    return root / "out"


def test_the_page_loads_and_runs_nothing_from_elsewhere(written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    assert len(links.sources) > 8
    assert all(source.startswith("data:image/png;base64,") for source in links.sources)
    assert not links.tags & {"script", "iframe", "object", "link", "b>"}
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    assert "http" not in re.sub(r"data:image/png;base64,[\w+/=]+", "", text).replace("http-equiv", "")


def test_what_comes_from_outside_is_escaped(written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "<h1>FUNDUS &amp; &lt;Co&gt;, checkpoint best</h1>" in text
    assert "&lt;b&gt;01&amp;amp;.jpg" in text
    assert "<b>0" not in text


def test_every_diagram_lies_beside_the_page_and_can_be_read(written: Path) -> None:
    names = {path.stem for path in written.glob("*.png")}
    assert {"confusion", "roc", "precision_recall", "calibration", "learning", "mistake_01", "surest_01"} <= names
    for path in written.glob("*.png"):
        image = cv2.imread(str(path))
        assert image.shape[1] > 300, path
        assert image.std() > 5, path
    assert {path.suffix for path in written.iterdir()} == {".png", ".pdf", ".svg", ".html"}


def test_letters_that_no_font_has_are_said_once_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    classes = ("정상", "황반변성")
    monkeypatch.setattr(drawing, "_said", set())
    plots.confusion_diagram(np.eye(2, dtype=int), classes)
    has_font = len(drawing.STABLE["font.family"]) > 1
    assert ("no installed font has" in capsys.readouterr().err) is not has_font
    monkeypatch.setitem(plots._STYLE, "font.family", ["sans-serif"])
    monkeypatch.setattr(drawing, "_said", set())
    for _ in range(2):
        plots.confusion_diagram(np.eye(2, dtype=int), classes)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].endswith("which the diagrams show as a box; apt-get install fonts-nanum")


def test_the_calibration_names_its_error_and_counts_whole_photographs_and_hides_no_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Canvas] = []
    monkeypatch.setattr(Canvas, "savefig", lambda canvas, stream, **_: drawn.append(canvas))
    sure = reliability(np.array([[1.0, 0.0], [0.9, 0.1], [0.2, 0.8]]), np.array([0, 0, 1]))
    before = Calibration("before", sure, 0.1, 0.1)
    plots.calibration_diagram(before, replace(before, name="after, T = 12.34"))
    (first, second, counts, other) = drawn[0].axes
    assert second.get_title() == "after, T = 12.34: expected calibration error 0.100"
    assert all(tick == int(tick) for tick in counts.get_yticks())
    assert not first.lines[1].get_clip_on()
    FigureCanvasAgg(drawn[0]).draw()
    ends = [axes.get_xticklabels()[end].get_window_extent() for axes, end in ((counts, -1), (other, 0))]
    assert ends[1].x0 - ends[0].x1 > 10
    assert first.title.get_window_extent().x1 < second.title.get_window_extent().x0


@pytest.mark.parametrize("networks", [1, 5])
def test_a_learning_curve_of_one_epoch_is_a_point(monkeypatch: pytest.MonkeyPatch, networks: int) -> None:
    drawn: list[Canvas] = []
    monkeypatch.setattr(Canvas, "savefig", lambda canvas, stream, **_: drawn.append(canvas))
    plots.learning_diagram([[Epoch(1, "strong", 0.01, 1.2, 0.4, 1.3, 0.3, 30.0)]] * networks, best_epoch=1)
    lines = [line for axes in drawn[0].axes for line in axes.lines if line.get_label() != "best epoch"]
    assert len(lines) == 4 * networks and all(line.get_marker() == "o" for line in lines)


def test_it_says_what_is_missing(written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "the photograph cannot be read" in text
    assert "<td>RVO</td><td>0</td><td>0</td><td>none to recognise</td>" in text
    assert "1 marks of lesions could not be used" in text


def test_it_holds_the_figures_and_the_settings(written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "<td>accuracy</td><td>0.833 (" in text
    assert "sensitivity at 95% specificity" in text
    assert re.search(r"by \d\.\d{3}, the temperature that fits", text)
    assert "3 of 3 mistakes" in text
    assert "<td>3, with validation loss 0.500</td>" in text
    assert '<div class="wide" tabindex="0"><table class="words"><tr><th>setting</th>' in text
    assert re.search(r"<td>AMD</td><td>5</td><td>0\.\d{3}</td>", text)


def test_a_collapsed_network_stands_beside_guessing_and_is_warned_of(tmp_path: Path) -> None:
    labels = [0, 0, 0, 0, 1, 3] * 4
    network = network_on(tmp_path, ("NORMAL", "AMD", "RVO", "DMR"), labels, wrong=[])
    validation = network.validation
    assert validation is not None
    validation.probabilities[:] = [0.4, 0.3, 0.2, 0.1]
    network.baselines = [Baseline("always NORMAL", 0.5, 0.333, 0.667), Baseline("frozen <b>", 0.8125, 0.625, 0.75)]
    write_report(network, tmp_path / "train_data", tmp_path / "out", "collapsed")
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<p>Note: All 24 predictions are of one class, NORMAL: the network may have collapsed.</p>" in text
    assert "<p>Note: The accuracy is not above that of the same prediction for all photographs.</p>" in text
    rows = re.findall(r"<tr><td>(always the largest class [^<]*|this checkpoint[^<]*)</td><td>(.*?) \(", text)
    assert rows == [
        ("this checkpoint", "0.667"),
        ("always the largest class (always NORMAL)", "0.667"),
        ("this checkpoint minus always NORMAL", "+0.000"),
    ]
    assert "<td>frozen &lt;b&gt;</td><td>0.750</td><td>0.625</td><td>0.812</td>" in text
    assert re.search(r"<td>score of the competition</td><td>(66\.67), always NORMAL \1</td>", text)


def test_a_network_that_tells_classes_apart_is_above_guessing_without_a_warning(written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "one class" not in text
    assert "not above" not in text
    assert re.search(r"<td>this checkpoint minus always NORMAL</td><td>\+0\.500 \(", text)
    assert "The checkpoint has no other baselines." in text


def test_two_classes_and_a_second_report_in_the_same_folder(tmp_path: Path) -> None:
    network = network_on(tmp_path, ("NORMAL", "AMD"), [0, 1] * 4, wrong=[0, 1, 2])
    write_report(network, tmp_path / "train_data", tmp_path / "out", "first")
    assert network.validation is not None
    network.validation = answered(list(network.validation.samples), ("NORMAL", "AMD"), [0, 1] * 4, wrong=[3])
    network.history = []
    write_report(network, tmp_path / "train_data", tmp_path / "out", "second")
    assert len(list((tmp_path / "out").glob("mistake_*.png"))) == 1
    assert "How it learned" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_checkpoint_without_predictions_and_a_missing_matplotlib_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ReportError, match="no validation predictions; use one"):
        write_report(small_network.network(), tmp_path, tmp_path / "out", "")
    monkeypatch.setattr(requirements.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ReportError, match="pip install 'matplotlib"):
        write_report(small_network.network(), tmp_path, tmp_path / "out", "")


def of_fold(network: Network, *places: int, **changed: object) -> Network:
    """Another network, that has answered the photographs at these places as `network` has."""
    other = small_network.network(classes=network.classes, **changed)
    answers = network.validation
    assert answers is not None
    chosen = [list(part[place] for place in places) for part in (answers.samples, answers.patients)]
    other.validation = Predictions(*chosen, answers.labels[list(places)], answers.probabilities[list(places)])
    other.history = HISTORY[: 3 + int(other.settings.fold)]
    return other


def ensemble_of(*networks: Network, weights: tuple[float, ...]) -> Ensemble:
    return Ensemble(list(networks), list(weights), combine([each.validation for each in networks], weights))


def test_a_report_of_folds_shows_each_photograph_by_the_network_that_did_not_see_it(tmp_path: Path) -> None:
    whole = network_on(tmp_path, ("NORMAL", "AMD"), [0, 1] * 4, wrong=[0, 1, 2])
    one = of_fold(whole, 0, 2, 4, 5, fold=0, folds=2)
    other = of_fold(whole, 1, 3, 6, 7, fold=1, folds=2, image_size=24)
    ensemble = ensemble_of(one, other, weights=(1.0, 2.0))
    subject = subject_of(ensemble)
    seen = {
        sample: view.preparation.size for sample, view in zip(subject.validation.samples, subject.views, strict=True)
    }
    assert {sample for sample, size in seen.items() if size == 24} == set(other.validation.samples)  # type: ignore[union-attr]
    write_report(ensemble, tmp_path / "train_data", tmp_path / "out", "all")
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "predicted here by the networks not trained on it, one of them" in text
    assert "<td>split</td><td>fold 0 of 2; fold 1 of 2</td>" in text
    assert "<td>validated on</td><td>8 photographs of 4 patients</td>" in text
    assert "cannot be read" not in text
    assert "<td>AMD</td><td>4</td>" in text.partition("Does it look at the lesions?")[2]


def test_of_networks_that_all_validated_on_a_photograph_the_heat_is_of_the_one_that_weighs_most(tmp_path: Path) -> None:
    whole = network_on(tmp_path, ("NORMAL", "AMD"), [0, 1] * 2, wrong=[0])
    light = of_fold(whole, 0, 1, 2, 3)
    heavy = of_fold(whole, 0, 1, 2, 3, image_size=24)
    subject = subject_of(ensemble_of(light, heavy, weights=(1.0, 2.0)))
    assert {view.preparation.size for view in subject.views} == {24}
    assert "all of which validated on these photographs" in subject.notes[0]


def test_the_temperature_of_an_ensemble_fits_its_own_answers(tmp_path: Path) -> None:
    whole = network_on(tmp_path, ("NORMAL", "AMD"), [0, 1] * 4, wrong=[0, 1, 2])
    assert whole.validation is not None
    subject = subject_of(ensemble_of(of_fold(whole, 0, 1, 2, 3), of_fold(whole, 4, 5, 6, 7), weights=(1.0, 1.0)))
    wanted = fit_temperature(whole.validation.probabilities, whole.validation.labels)
    assert subject.temperature == pytest.approx(wanted, rel=1e-6)


def test_a_report_of_chosen_classes_has_only_their_photographs_and_probabilities(tmp_path: Path) -> None:
    network = network_on(tmp_path, ("NORMAL", "AMD", "DMR"), [0, 1, 2] * 4, wrong=[0, 5])
    assert network.validation is not None
    chosen = only(subject_of(network), ("DMR", "NORMAL"))
    rows = [number for number, label in enumerate(network.validation.labels) if label != 1]
    assert chosen.classes == ("DMR", "NORMAL") and chosen.validation.labels.tolist() == [1, 0] * 4
    probabilities = network.validation.probabilities[rows][:, [2, 0]]
    wanted = probabilities / probabilities.sum(axis=1, keepdims=True)
    assert chosen.validation.probabilities == pytest.approx(wanted, abs=1e-6)
    # The heat of a class is that of its own output.
    image = np.zeros((1, small_network.SIZE, small_network.SIZE, 3), np.uint8)
    heat, whole = chosen.views[0].heat, subject_of(network).views[0].heat
    assert heat is not None and whole is not None
    np.testing.assert_array_equal(heat(image, np.array([0])), whole(image, np.array([2])))
    write_report(network, tmp_path / "train_data", tmp_path / "out", "two", ("DMR", "NORMAL"))
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Only the 8 of 12 validation photographs of DMR, NORMAL" in text and ">AMD<" not in text


def test_a_report_of_many_classes_draws_curves_of_the_largest_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "_SHOWN", 4)
    monkeypatch.setattr(plots, "_CELLS", 4)
    classes = tuple(f"species {number}" for number in range(6))
    network = network_on(tmp_path, classes, [*range(6), *range(2, 6)], wrong=[0])
    write_report(network, tmp_path / "train_data", tmp_path / "out", "many")
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Curves are of the 4 classes with the most photographs" in text
    assert "<td>species 0</td><td>1</td>" in text
    assert len(list((tmp_path / "out").glob("surest_*.png"))) == 4


def test_a_class_that_the_checkpoint_does_not_have_is_named(tmp_path: Path) -> None:
    subject = subject_of(network_on(tmp_path, ("NORMAL", "AMD"), [0, 1], wrong=[]))
    with pytest.raises(ReportError, match="argument --classes: the checkpoint has no class RVO, only NORMAL, AMD"):
        only(subject, ("NORMAL", "RVO"))


def test_an_ensemble_of_several_datasets_has_no_report_and_says_why() -> None:
    with pytest.raises(ReportError, match="use members that were trained on the same dataset"):
        subject_of(Ensemble([small_network.network()], [1.0]))


def test_the_worst_mistakes_come_first_and_the_surest_are_right() -> None:
    labels = np.array([0, 0, 1, 1, 2])
    probabilities = np.array([[0.4, 0.6, 0], [0.1, 0.9, 0], [0.2, 0.8, 0], [0.05, 0.95, 0], [0.5, 0.5, 0]])
    assert worst_mistakes(labels, probabilities).tolist() == [4, 1, 0]
    assert len(worst_mistakes(np.zeros(99, int), np.tile(probabilities[:1], (99, 1)))) == MISTAKES
    assert surest(labels, probabilities).tolist() == [3]


def on_lesions(tmp_path: Path, bright: bool, red: bool = False) -> tuple[float, float]:
    """The shares of area and heat on the lesions of drawn photographs, for a heat that is the same everywhere or where it is bright."""
    samples = [f"AMD/{number}.png" for number in range(4)]
    for number, sample in enumerate(samples):
        draw(tmp_path / "train_data" / sample, number, lesion=True)
        if red:
            marks = tmp_path / "lesions" / sample
            cv2.imwrite(str(marks), cv2.imread(str(marks)) * np.array([0, 0, 1], np.uint8))

    def heat_of(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return (images.min(axis=-1) > 200).astype(np.float32) if bright else np.ones((len(images), 4, 4), np.float32)

    heats, unusable = look_at_lesions(
        tmp_path / "train_data", samples, ["a", "a", "b", "c"], np.ones(4, int), ("NORMAL", "AMD"),
        [View(Preparation(64, local_average=False), heat_of)] * 4,
    )  # fmt: skip
    assert unusable == []
    assert [(one.name, one.photographs) for one in heats] == [("AMD", 4)]
    return heats[0].area, heats[0].heat.value


def test_a_heat_that_is_the_same_everywhere_falls_on_lesions_by_their_area(tmp_path: Path) -> None:
    area, heat = on_lesions(tmp_path, bright=False)
    assert heat == pytest.approx(area)
    assert area == pytest.approx(9**2 / 44**2, rel=0.15)


def test_marks_in_a_colour_are_marks(tmp_path: Path) -> None:
    area, _ = on_lesions(tmp_path, bright=False, red=True)
    assert area == pytest.approx(9**2 / 44**2, rel=0.15)


def test_a_photograph_of_12_bits_is_seen_as_in_training(tmp_path: Path) -> None:
    sample = "AMD/0.png"
    draw(tmp_path / "train_data" / sample, 0, lesion=True)
    path = tmp_path / "train_data" / sample
    image = cv2.imread(str(path))
    cv2.imwrite(str(path), image.astype(np.uint16) * 16)
    seen: list[np.ndarray] = []

    def heat_of(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        seen.append(images)
        return np.ones((len(images), 4, 4), np.float32)

    preparation = Preparation(64, local_average=False)
    views = [View(preparation, heat_of)]
    _, unusable = look_at_lesions(tmp_path / "train_data", [sample], ["a"], np.ones(1, int), ("NORMAL", "AMD"), views)
    assert unusable == []
    np.testing.assert_array_equal(seen[0][0], prepare_file(path, preparation))


def test_a_heat_where_only_the_lesion_is_falls_on_it(tmp_path: Path) -> None:
    _, heat = on_lesions(tmp_path, bright=True)
    assert heat > 0.9
