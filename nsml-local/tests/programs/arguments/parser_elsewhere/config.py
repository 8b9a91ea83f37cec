"""The arguments of the whole project."""

import argparse


def str2bool(text):
    return text.lower() in ("true", "1")


def get_config():
    parser = argparse.ArgumentParser()
    system = parser.add_argument_group("reserved for nsml")
    system.add_argument("--mode", type=str, default="train")
    system.add_argument("--pause", type=int, default=0)
    system.add_argument("--iteration", type=str, default="0")
    parser.add_argument("--verbose", type=str2bool, default=True)
    config = parser.parse_args()
    return config, vars(config)
