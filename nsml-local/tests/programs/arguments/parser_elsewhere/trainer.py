"""What is trained."""

import json
import os

import nsml


class Trainer:
    def __init__(self, settings):
        self.settings, self.line = settings, 100.0

    def bind(self):
        nsml.bind(save=self._save, load=self._load, infer=self._infer)

    def _save(self, folder):
        with open(os.path.join(folder, "line.json"), "w") as file:
            json.dump(self.line, file)

    def _load(self, folder):
        with open(os.path.join(folder, "line.json")) as file:
            self.line = json.load(file)
        if self.settings["verbose"]:
            print("iteration", self.settings["iteration"], "holds the line", self.line)

    def _infer(self, numbers):
        return [int(number > self.line) for number in numbers]

    def run(self):
        self.line = 5.0
        nsml.save("1_0")
