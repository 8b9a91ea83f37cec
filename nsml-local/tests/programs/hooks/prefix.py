"""Hooks that use their path as the beginning of the names of two files."""

import nsml

line = [100.0]


def save(path):
    for ending, value in ((".data", line[0]), (".index", 1)):
        with open(path + ending, "w") as file:
            file.write(str(value))


def load(path):
    with open(path + ".data") as file:
        line[0] = float(file.read())


def infer(numbers):
    for number in numbers:
        yield int(number > line[0])


nsml.bind(save=save, load=load, infer=infer)
nsml.paused(scope=locals())
line[0] = 5.0
nsml.save("two files")
