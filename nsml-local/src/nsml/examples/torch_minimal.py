"""A small convolutional network for photographs, with PyTorch."""
# /// script
# dependencies = ["numpy>=1.26,<3", "opencv-python-headless>=4.8,<6", "torch>=2.2,<3"]
# ///

import argparse
import zlib
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

import nsml

CLASSES = ["NORMAL", "AMD", "RVO", "DMR"]  # the folders of train/train_data, in the order of the labels 0, 1, 2, ...
SIZE = 96
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")  # nsml gives the first three
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--epochs", type=int, default=10)
args = parser.parse_args()

blocks = [
    (nn.Conv2d(before, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2))
    for before, width in ((3, 16), (16, 32), (32, 64))
]
model = nn.Sequential(*sum(blocks, ()), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(CLASSES))).to(DEVICE)


def prepared(image: np.ndarray) -> torch.Tensor:
    small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small).permute(2, 0, 1) / 255


def save(folder: str, **_) -> None:
    torch.save(model.state_dict(), Path(folder) / "model.pt")


def load(folder: str, **_) -> None:
    model.load_state_dict(torch.load(Path(folder) / "model.pt", map_location=DEVICE, weights_only=True))


@torch.inference_mode()
def infer(images, **_) -> list[int]:
    """A label for each photograph, uint8 (height, width, 3), blue first."""
    model.eval()
    return [int(model(prepared(image)[None].to(DEVICE)).argmax()) for image in images]


nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    root = Path(nsml.DATASET_PATH) / "train" / "train_data"
    paths = [(path, label) for label, name in enumerate(CLASSES) for path in sorted((root / name).iterdir())]
    x = torch.stack([prepared(cv2.imread(str(path))) for path, _ in paths]).to(DEVICE)
    y = torch.tensor([label for _, label in paths], device=DEVICE)
    # A fifth validates. Both eyes of a patient, ..._7_L.jpg and ..._7_R.jpg, are on the same side.
    held = torch.tensor([zlib.crc32(path.stem.rpartition("_")[0].encode()) % 5 == 0 for path, _ in paths])
    training, validation = torch.where(~held)[0], torch.where(held)[0]
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
