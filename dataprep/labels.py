"""The labels of training photographs: from class folders or a table, and the classes by label number.

    train/train_data/<CLASS>/*.jpg     the folder gives the class
    train/labels.csv                   or a table (labels.tsv, train_label): columns file and label, or file and one of 0 and 1 for
                                       each class; patient, eye, camera if known
    train/classes.txt                  the classes by label number, one a line, from 0; `nsml dataset push` writes it

The file dataprep/labels.py of the template and nsml/store/labels.py of nsml-local are the same, as neither imports the other. A test
compares them.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

# The competition's classes, in the order of its label numbers, and the other name that it uses.
CLASSES: tuple[str, ...] = ("NORMAL", "AMD", "RVO", "DMR")
_OTHER_NAMES = {"NOR": "NORMAL"}
CLASS_FILE = "classes.txt"
TABLES = ("labels.csv", "labels.tsv", "train_label")
SPREADSHEETS = ("labels.xlsx", "labels.xls", "labels.ods")
FEWEST, MOST = 2, 1000  # classes
_LARGEST = 1 << 28  # bytes of a table
# What pandas takes for no value, as R, databases and spreadsheets write it. A class may well be called none.
_NO_VALUE = frozenset(["NaN", "nan", "-NaN", "-nan", "NA", "<NA>", "N/A", "n/a", "#N/A", "NULL", "null", "None"])
_FLAGS = {"0", "1", "0.0", "1.0", "", *_NO_VALUE}
# Names of columns, without case, blanks and punctuation; the first that a table has counts.
_COLUMNS = {
    "file": "file filename image imagename img imageid idcode photograph photo path filepath imagepath fundus 파일 파일명 이미지 사진",
    "label": "label labels class classname category diagnosis level grade retinopathygrade drgrade target annotation annotations 라벨 진단",
    "patient": "patient patientid patientno patientnumber subject subjectid pid person id 환자 환자번호",
    "eye": "eye side laterality lefteyeorrighteye 눈 좌우",
    "camera": "camera device 카메라",
}


class LabelError(ValueError):
    """Classes or labels that cannot be used. The message is one line with the problem and the fix."""

    exit_status = 2


@dataclass(frozen=True)
class Row:
    """A line of a table, as text: "" for what it does not say."""

    label: str = ""
    patient: str = ""
    eye: str = ""
    camera: str = ""


@dataclass(frozen=True)
class Labels:
    """The labels of a folder of photographs.

    Attributes:
        classes: their names by label number.
        numbers: label number of each photograph that has one.
        rows: line of the table for each photograph that has one.
        problems: photographs without a label, labels without a photograph and so on, one line each, with counts and examples.
        table: path of the table, if there is one.
    """

    classes: tuple[str, ...]
    numbers: dict[Path, int]
    rows: dict[Path, Row] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    table: Path | None = None


def read_labels(root: Path, photographs: Sequence[Path], classes: Sequence[str] = ()) -> Labels:
    """The labels of the `photographs` below `root`, the folder `train_data` of a dataset or any other.

    Table and class file lie beside a folder `train_data`, else in `root`. A label of the table counts more than a class folder.

    Args:
        classes: the classes by label number, in place of those of the class file.

    Raises:
        LabelError: the table or the class file cannot be used.
    """
    beside = root.parent if root.name == "train_data" else root
    problems: list[str] = []
    names = {path: name for path in photographs if (name := class_folder(root, path))}
    tables = [path for name in TABLES if (path := beside / name).is_file()]
    table = tables[0] if tables else None
    sheet = next((path for name in SPREADSHEETS if (path := beside / name).is_file()), None)
    if sheet and not table and photographs:
        problems = [f"{sheet}: a spreadsheet is not read; save it as CSV (UTF-8) under the name labels.csv"]
        if not names:
            raise LabelError(problems[0])
    rows: dict[Path, Row] = {}
    file = beside / CLASS_FILE
    order = tuple(classes) or (read_class_file(file) if file.is_file() else ())
    folders = {*map(class_key, names.values())}
    named = folders | {*map(class_key, order)}
    if table is not None and photographs:
        try:
            rows, problems = _read_table(table, root, photographs, folders)
        except LabelError as error:
            if not names:
                raise
            # Beside class folders, a file of this name may hold anything; train_label is a name of the platform.
            problems, table = [f"not used: {error}"] if table.suffix else [], None
    fix = ""
    words = {
        word for word in _NO_VALUE.intersection(row.label for row in rows.values()) if class_key(word) not in named
    }
    if words:
        rows = {path: replace(row, label="") if row.label in words else row for path, row in rows.items()}
        fix = f": {few(sorted(words))} stands for no label; if it is a class, name all classes in {file}, one a line"
    for other in tables[1:] if table else []:
        with contextlib.suppress(LabelError):  # as above
            others, _ = _read_table(other, root, photographs, folders)
            problems += _contradictions(root, tables[0].name, rows, other.name, others)
    where = "in no class folder"
    if table is not None and (any(row.label for row in rows.values()) or not names):
        where = f"without a label in {table.name}"
        labelled = {class_key(row.label) for row in rows.values() if row.label}
        # A folder that is no class of the table may be a site, or hold all photographs.
        differing = [
            path
            for path, row in rows.items()
            if path in names and class_key(names[path]) in labelled and not _same(row.label, names[path])
        ]
        names = {path: row.label for path, row in rows.items() if row.label}
        if differing:
            problems.append(
                f"{counted(len(differing), 'photograph')} in the folder of another class than {table.name} says "
                f"({examples(root, differing)}): {table.name} counts"
            )
    if without := [path for path in photographs if path not in names]:
        problems.append(f"{counted(len(without), 'photograph')} left out, {where} ({examples(root, without)}){fix}")
    order = order or in_order(names.values())
    if len(order) > MOST and names:
        raise LabelError(
            f"{table or root}: {len(order)} different labels, the limit is {MOST}; is that column the label?"
        )
    known = numbers_of(order)
    number_of = {name: number for name in set(names.values()) if (number := known.get(class_key(name))) is not None}
    if names and not number_of and all(class_key(name).isdecimal() for name in names.values()):
        # Numbers in the table, and names in the class file.
        number_of = {name: int(key) for name in set(names.values()) if int(key := class_key(name)) < len(order)}
    if names and not number_of and order and not classes:
        raise LabelError(
            f"{file}: none of its lines ({few(order, 4)}) is a class of the photographs ({few(in_order(names.values()), 4)}); write one of "
            "these a line, without numbers, the one with label number 0 first"
        )
    unknown = Counter(name for name in names.values() if name not in number_of)
    for name, count in sorted(unknown.items())[:8]:
        which = f"label {name!r} of {table.name}" if table and rows else f"{root / name}"
        problems.append(
            f"{which}: left out with its {count} photographs, as it is not one of the classes {few(order)}; "
            "rename it to the class of its photographs"
        )
    if len(unknown) > 8:
        problems.append(f"{len(unknown) - 8} more names left out, as they are not classes")
    problems += _spellings(name for name in names.values() if name in number_of)
    if not classes and not file.is_file():
        problems += _typing_errors(names.values(), file)
    if order != CLASSES and not classes and not file.is_file() and (mixed := _of_the_competition(order)):
        problems.append(
            f"only {', '.join(mixed)} of {few(order)} are classes of the competition, so label numbers follow the alphabet, from "
            f"{order[0]} 0; a file {file} can say otherwise, one class a line"
        )
    numbers = {path: number_of[name] for path, name in names.items() if name in number_of}
    return Labels(order, numbers, rows, tuple(problems), table)


def readable(name: str) -> str:
    """A name in one normalisation, on one line, with single blanks; decoded if it is in CP949, as in zip files of Windows in Korea."""
    try:
        name.encode()
    except UnicodeEncodeError:
        with contextlib.suppress(UnicodeDecodeError):
            name = name.encode("utf-8", "surrogateescape").decode("cp949")
    # What is left of undecodable bytes is not printable either, but tells names apart.
    letters = (c if c.isprintable() or "\udc80" <= c <= "\udcff" else " " for c in unicodedata.normalize("NFC", name))
    return " ".join("".join(letters).split())


def plain_name(name: str) -> str:
    """A name in the form for comparisons: `readable`, in capitals."""
    return readable(name).upper()


def class_key(name: str) -> str:
    """The form of a class name for comparisons: NOR is NORMAL, and 01 and 1.0 are 1."""
    plain = plain_name(name)
    number = re.fullmatch(r"0*([0-9]+)(\.0*)?", plain)
    return number[1] if number else _OTHER_NAMES.get(plain, plain)


def class_folder(root: Path, path: Path) -> str:
    """The name of a file's top-level folder in `root`, "" if it lies in `root` itself."""
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """The classes by label number where nothing else says: the competition's four if there are no others, numbers as they are, else by
    name, with 10 behind 9."""
    spelled = {class_key(name): readable(name) for name in sorted(set(names), reverse=True)}
    if spelled.keys() <= set(CLASSES):
        return CLASSES
    if all(key.isascii() and key.isdecimal() and int(key) < MOST for key in spelled):
        return tuple(str(number) for number in range(max(map(int, spelled)) + 1))
    return tuple(sorted(spelled.values(), key=_natural))


def numbers_of(classes: Sequence[str]) -> dict[str, int]:
    """Label numbers by `class_key`."""
    return {class_key(name): number for number, name in enumerate(classes)}


def read_class_file(path: Path) -> tuple[str, ...]:
    """The names in a class file. LabelError if it is not one."""
    return check_classes((line.strip() for line in read_text(path).splitlines()), str(path))


def parse_classes(text: str) -> tuple[str, ...]:
    """The names in `A,B`. A name with a comma stands in double quotes. LabelError if they are no classes."""
    return check_classes((name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])), repr(text))


def check_classes(names: Iterable[str], where: str) -> tuple[str, ...]:
    """The names that are not empty. LabelError, which begins with `where`, if they are too few or too many, or one is named twice."""
    given = tuple(name for name in names if name)
    if not FEWEST <= len(given) <= MOST:
        raise LabelError(f"{where}: {counted(len(given), 'class', 'classes')} named; name {FEWEST} to {MOST}")
    if twice := [name for name, count in Counter(map(class_key, given)).items() if count > 1]:
        raise LabelError(f"{where}: class {twice[0]} is named twice; name each once")
    return given


def counted(number: int, what: str, several: str = "") -> str:
    """ "1 photograph is", "2 photographs are"."""
    return f"{number} {what} is" if number == 1 else f"{number} {several or what + 's'} are"


def examples(root: Path, paths: Sequence[Path]) -> str:
    """The first three paths, below `root`."""
    shown = ", ".join(path.relative_to(root).as_posix() for path in sorted(paths)[:3])
    return f"{shown}, ..." if len(paths) > 3 else shown


def few(names: Sequence[str], most: int = 8) -> str:
    """The names, at most about 8 of them."""
    return ", ".join(names if len(names) <= most else [*names[: most - 2], f"and {len(names) - most + 2} more"])


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, UTF-16 or, as Excel in Korea writes it, CP949. LabelError if it cannot be read."""
    try:
        if path.stat().st_size > _LARGEST:
            raise LabelError(f"{path}: larger than {_LARGEST >> 20} MB, so it is no list of labels")
        content = path.read_bytes()
    except OSError as error:
        raise LabelError(f"{path}: {error.strerror}") from None
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise LabelError(f"{path}: a spreadsheet under another name is not read; save it as CSV (UTF-8)")
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp949"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8-sig", "surrogateescape")


def _of_the_competition(order: Sequence[str]) -> list[str]:
    return [name for name in order if class_key(name) in CLASSES]


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key to sort by: 2 before 10."""
    parts = re.split(r"([0-9]+)", plain_name(name))
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _same(one: str, other: str) -> bool:
    return not one or class_key(one) == class_key(other)


def _contradictions(root: Path, name: str, rows: dict[Path, Row], other: str, others: dict[Path, Row]) -> Iterator[str]:
    """A line if two tables have another label for the same photographs. Numbers and names may be the same."""
    keys = {path: (class_key(row.label), class_key(others[path].label)) for path, row in rows.items() if path in others}
    found = [
        p
        for p, (one, two) in keys.items()
        if one and two and one != two and one.isdecimal() == two.isdecimal() and others[p].label not in _NO_VALUE
    ]
    if found:
        yield (
            f"{counted(len(found), 'photograph')} of another class in {other} than in {name} ({examples(root, found)}): {name} counts; "
            f"correct it, or remove {other}"
        )


def _spellings(names: Iterable[str]) -> Iterator[str]:
    """A line if different names, those of photographs, are of one class."""
    of_class: dict[str, list[str]] = defaultdict(list)
    for name, count in sorted(Counter(names).items()):
        of_class[class_key(name)].append(f"{name!r} ({count})")
    several = [" and ".join(spelled) for spelled in of_class.values() if len(spelled) > 1]
    if several:
        yield (
            f"{counted(len(several), 'class', 'classes')} spelled in several ways, each counted as one: {few(several, 4)}; rename what is "
            "a class of its own"
        )


def _typing_errors(names: Collection[str], file: Path) -> Iterator[str]:
    """A line for each class of one to three photographs whose name is nearly that of a class of many more."""
    # A class with several spellings counts as one, and is shown by one of them.
    spelled = {class_key(name): readable(name) for name in sorted(set(names))}
    counts = Counter(spelled[class_key(name)] for name in names)
    for rare, few_of_it in sorted(counts.items()):
        similar = [
            name
            for name, count in counts.items()
            if count >= 5 * few_of_it and _is_near(class_key(rare), class_key(name))
        ]
        if few_of_it <= 3 and similar:
            yield (
                f"class {rare} has {few_of_it} photograph{'s' * (few_of_it > 1)}, {similar[0]} has {counts[similar[0]]}: if that is a "
                f"typing error, rename {rare}; if not, name all classes in {file}, one a line"
            )


def _is_near(one: str, other: str) -> bool:
    """Whether two names differ in one letter, in two that changed places, or in blanks and punctuation; not just in numbers."""
    if re.sub("[0-9]", "", one) == re.sub("[0-9]", "", other):
        return False
    short, long = sorted((re.sub(r"[\W_]", "", name) for name in (one, other)), key=len)
    if len(short) < 3:
        return False
    if len(short) < len(long):
        return short in (long[:i] + long[i + 1 :] for i in range(len(long)))
    differing = [i for i in range(len(long)) if short[i] != long[i]]
    return len(differing) < 2 or (len(differing) == 2 and sorted(short) == sorted(long))


def _read_table(
    path: Path, root: Path, photographs: Sequence[Path], folders: Collection[str]
) -> tuple[dict[Path, Row], list[str]]:
    """The line of each photograph, and problems. folders: `class_key` of the class folders."""
    text = read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    unless = "" if path.suffix else ", unless only your own programs read it"  # train_label is a name of the platform
    if first.lstrip()[:1] in ("{", "["):
        raise LabelError(f"{path}: JSON is not read; write a table with the columns file and label{unless}")
    delimiter = "\t" if path.suffix == ".tsv" else max(",\t;|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines, at_line = [], 1
    try:
        for cells in reader:
            lines += [cells] if any(map(str.strip, cells)) else []
            at_line = reader.line_num + 1
    except csv.Error as error:
        raise LabelError(
            f"{path}, line {at_line}: {error}; a quote there may be one too many, or lack its other; write it as CSV"
        ) from None
    at = _columns(lines[0] if lines else [])
    problems = _other_labels(path, lines, at["label"]) if "label" in at else []
    classes: dict[int, str] = {}
    if "file" in at and "label" not in at:
        classes = _class_columns(lines, set(at.values()))
        several = [cells for cells in lines[1:] if len(_ones(cells, classes)) > 1]
        if several:
            some = few([f"{_cell(cells, at['file'])}: {few(_ones(cells, classes), 4)}" for cells in several], 4)
            problem = (
                f"{counted(len(several), 'line')} of several classes, as 1 stands in several columns ({some}); a photograph has one: "
                "remove columns that are no classes, or write the class into a column label"
            )
            if not folders:
                raise LabelError(f"{path}: {problem}")
            classes, problems = {}, [f"{path.name}: columns of 0 and 1 not used: {problem}"]
        elif len(folders) > 1 and not {*map(class_key, classes.values())} & {*folders}:
            classes = {}  # the folders are the classes, and these are facts on the photographs
    if "file" not in at or not ("label" in at or classes or folders):
        missing = "labels" if "file" in at else "files"
        raise LabelError(
            f"{path}: no column of its first line {first[:80]!r} names the {missing}; begin with a line such as file,label,patient{unless}"
        )
    find = _finder(root, photographs)
    rows: dict[Path, Row] = {}
    left_out: dict[str, list[str]] = defaultdict(list)
    for cells in lines[1:]:
        value = {name: _cell(cells, column) for name, column in at.items()}
        found = find(value["file"])
        if len(found) != 1:
            name = value["file"] if len(value["file"]) <= 80 else f"{value['file'][:80]}..."
            left_out["several photographs have" if found else "no photograph has"].append(name or "''")
            continue
        # ODIR writes ['N'].
        label = value.get("label", "").strip("[]'\" ") or "".join(_ones(cells, classes))
        others = (value.get(name, "") for name in ("patient", "eye", "camera"))
        row = Row(label, *("" if text in _NO_VALUE else text for text in others))
        (photograph,) = found
        if class_key(rows.setdefault(photograph, row).label) != class_key(label):
            left_out["a line with another label has"].append(value["file"])
    return rows, problems + [
        f"{counted(len(values), f'line of {path.name}', f'lines of {path.name}')} left out: {what} that name ({few(values, 4)})"
        for what, values in left_out.items()
    ]


def _other_labels(path: Path, lines: Sequence[Sequence[str]], chosen: int) -> list[str]:
    """A line for each other column that may hold the labels, and says more than the one that is taken, or something else."""
    found = []
    for column, name in enumerate(lines[0]):
        if column != chosen and _plain_column(name) in _COLUMNS["label"].split():
            pairs = {(_cell(cells, chosen), _cell(cells, column)) for cells in lines[1:]}
            if len(pairs) > len({label for label, _ in pairs}):
                found.append(
                    f"{path.name}: column {lines[0][chosen].strip()} counts; {name.strip()} says something else: rename the one that is "
                    "no label"
                )
    return found


def _cell(cells: Sequence[str], column: int) -> str:
    return cells[column].strip() if column < len(cells) else ""


def _class_columns(lines: Sequence[Sequence[str]], others: Collection[int]) -> dict[int, str]:
    """The columns that hold only 0 and 1, with their names; none if it is one, which does not name both classes."""
    header, *rest = lines
    found = {
        column: name.strip()
        for column, name in enumerate(header)
        if column not in others and name.strip() and {_cell(cells, column) for cells in rest} <= _FLAGS
    }
    return found if len(found) > 1 and any(_ones(cells, found) for cells in rest) else {}


def _ones(cells: Sequence[str], columns: dict[int, str]) -> list[str]:
    return [name for column, name in columns.items() if _cell(cells, column) in ("1", "1.0")]


def _plain_column(name: str) -> str:
    return re.sub(r"[\W_]", "", plain_name(name)).lower()


def _columns(header: Sequence[str]) -> dict[str, int]:
    """The columns of a table by what they hold."""
    names = [_plain_column(name) for name in header]
    at = {
        what: names.index(known)
        for what, spellings in _COLUMNS.items()
        if (known := next((each for each in spellings.split() if each in names), None))
    }
    if "file" not in at and "patient" in at and names[at["patient"]] == "id":
        at["file"] = at.pop("patient")
    return at


def _finder(root: Path, photographs: Sequence[Path]) -> Callable[[str], Collection[Path]]:
    """A function from a name in a table to the photographs that it may mean. Folder, ending and case may be missing or differ."""
    indexes: list[dict[str, list[Path]]] = [defaultdict(list) for _ in range(5)]
    for path in photographs:
        whole = readable(path.relative_to(root).as_posix())
        folded = PurePosixPath(whole.casefold())
        keys = whole, str(folded), str(folded.with_suffix("")), folded.name, folded.stem
        for index, key in zip(indexes, keys, strict=True):
            index[key].append(path)

    def find(name: str) -> Collection[Path]:
        name = readable(name.replace("\\", "/"))
        folded = name.casefold()
        last = folded.rpartition("/")[2]
        tried = zip(indexes, (name, folded, folded, last, last), strict=True)
        return next((found for index, key in tried if (found := index.get(key))), ())

    return find
