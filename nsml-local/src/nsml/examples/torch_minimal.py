"""A small convolutional network for photographs of any classes, with PyTorch."""
# /// script
# dependencies = ["numpy>=1.26,<3", "opencv-python-headless>=4.8,<6", "torch>=2.2,<3"]
# ///

import argparse
import sys

import cv2
import numpy as np
import torch
from torch import nn

import nsml

SIZE = 128
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
model = None
parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")  # nsml gives the first three
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--epochs", type=int, default=10)
args = parser.parse_args()


def network(classes: int) -> nn.Module:
    layers = []
    for before, width in ((3, 16), (16, 32), (32, 64)):  # a momentum for few steps, as an epoch of a small dataset has
        layers += [nn.Conv2d(before, width, 3), nn.BatchNorm2d(width, momentum=0.2), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes)).to(DEVICE)


def prepared(image: np.ndarray) -> torch.Tensor:
    """A small one, less the average around every pixel, which is the light and the camera rather than the eye."""
    small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    small = cv2.addWeighted(small, 4, cv2.GaussianBlur(small, (0, 0), SIZE / 24), -4, 128)
    return (torch.from_numpy(small).permute(2, 0, 1) / 255).to(DEVICE)


def save(folder: str, **_) -> None:
    torch.save(model.state_dict(), f"{folder}/model.pt")


def load(folder: str, **_) -> None:
    global model
    weights = torch.load(f"{folder}/model.pt", map_location=DEVICE, weights_only=True)
    *_, bias = weights.values()  # of the last layer, one for each class
    model = network(len(bias))
    model.load_state_dict(weights)


@torch.inference_mode()
def infer(images, **_) -> list[int]:
    """A label number for each photograph, uint8 (height, width, 3), blue first."""
    model.eval()
    return [int(model(prepared(image)[None]).argmax()) for image in images]


nsml.bind(save=save, load=load, infer=infer)
nsml.paused(scope=locals())  # at a submit: load, infer, end
if args.mode == "train":
    data = nsml.training_photographs()
    x, y = torch.stack([prepared(image) for image in data.images]), torch.tensor(data.labels, device=DEVICE)
    held = np.isin(data.patients, np.unique(data.patients)[::5])  # every fifth patient validates, with both eyes
    training, validation = (torch.from_numpy(np.flatnonzero(part)) for part in (~held, held))
    if len(set(y[training].tolist())) < 2:
        sys.exit("the patients that do not validate have fewer than two classes; add photographs of more patients")
    model = model or network(len(data.classes))
    optimizer, best = torch.optim.AdamW(model.parameters(), lr=0.002), float("inf")
    for epoch in range(1, args.epochs + 1):
        model.train()
        for batch in training[torch.randperm(len(training))].split(16):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            scores = model(x[validation])
            loss = nn.functional.cross_entropy(scores, y[validation]).item()
            accuracy = (scores.argmax(dim=1) == y[validation]).float().mean().item()
        print(f"epoch {epoch}: validation loss {loss:.3f}, accuracy {accuracy:.3f}", flush=True)
        nsml.report(summary=True, step=epoch, val__loss=loss, val__accuracy=accuracy)
        if loss < best:
            best = loss
            nsml.save("best")
