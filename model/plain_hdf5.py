"""HDF5 files that hold numbers of their own and nothing else, so that reading one reads no other file and fills no memory."""

from __future__ import annotations

from pathlib import Path

import h5py


def check_plain(path: Path) -> None:
    """Look through an HDF5 file before anything in it is read.

    Raises:
        ValueError: it holds what `model.weights.save` never writes: a soft or external link, an array whose numbers lie in another file
            (external storage, a virtual dataset), a compressed one, one of anything but numbers, or arrays that claim more bytes than
            the file has.
        OSError: it is no HDF5 file.
    """
    claimed = 0
    with h5py.File(path, "r") as file:
        waiting, seen = [file], {h5py.h5o.get_info(file.id).addr}
        while waiting:
            group = waiting.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise ValueError(f"{group.name.rstrip('/')}/{name} is a link")
                item = group[name]
                # A file may hold a group inside itself.
                address = h5py.h5o.get_info(item.id).addr
                if address in seen:
                    continue
                seen.add(address)
                if isinstance(item, h5py.Group):
                    waiting.append(item)
                else:
                    claimed += _size(item)
    if claimed > path.stat().st_size:
        raise ValueError(f"its arrays claim {claimed} bytes, more than the file has")


def _size(item: object) -> int:
    """Bytes of an array; ValueError where it is none, or not plain numbers in this file."""
    if not isinstance(item, h5py.Dataset):
        raise ValueError("it holds a type definition")
    if item.is_virtual or item.external:
        raise ValueError(f"{item.name} lies in another file")
    if item.id.get_create_plist().get_nfilters():
        raise ValueError(f"{item.name} is compressed")
    if item.dtype.kind not in "fiub":
        raise ValueError(f"{item.name} holds no numbers")
    return int(item.nbytes)
