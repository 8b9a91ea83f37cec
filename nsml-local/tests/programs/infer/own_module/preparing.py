"""How this project reads numbers, which the organiser's files import."""


def prepare(path):
    with open(path) as file:
        return [float(line.split()[0]) / 10 for line in file]


def parse_answer(text):
    return {"low": 0, "high": 1, "0": 0, "1": 1}[text.strip()]
