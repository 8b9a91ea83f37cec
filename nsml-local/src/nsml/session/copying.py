"""`nsml.copy`: copy the content of one object to another."""

from __future__ import annotations

from typing import Any


def copy(source: Any, target: Any) -> None:
    """Copy the items of a dict, or the attributes of an object, to another of the same type.

    Raises:
        TypeError: the types differ, or are lists, which the platform does not support.
    """
    if type(source) is not type(target):
        raise TypeError(
            f"nsml.copy: source is a {type(source).__name__}, target a {type(target).__name__}; give two objects of the same type"
        )
    if isinstance(source, list):
        raise TypeError("nsml.copy: lists are not supported; copy an object's attributes or a dict")
    if isinstance(source, dict):
        target.update(source)
    elif hasattr(source, "__dict__"):
        vars(target).update(vars(source))
    else:
        raise TypeError(f"nsml.copy: a {type(source).__name__} has no attributes to copy; give a dict or an object")
