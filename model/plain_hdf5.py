"""Plain HDF5 files: only arrays of numbers, so that reading a file reads no other file and does not fill the memory."""

from __future__ import annotations

from pathlib import Path

import h5py


def check_plain(path: Path) -> None:
    """Check an HDF5 file before its arrays are read.

    Raises:
        ValueError: it holds a soft or external link, an array stored in another file (external storage, a virtual dataset), a
            compressed array, data other than numbers, or arrays larger than the file.
        OSError: it is not an HDF5 file.
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
        raise ValueError(f"its arrays have {claimed} bytes, more than the file")


def _size(item: object) -> int:
    """Bytes of an array. ValueError if it is not an array of plain numbers in this file."""
    if not isinstance(item, h5py.Dataset):
        raise ValueError("it holds a type definition")
    if item.is_virtual or item.external:
        raise ValueError(f"{item.name} is stored in another file")
    if item.id.get_create_plist().get_nfilters():
        raise ValueError(f"{item.name} is compressed")
    if item.dtype.kind not in "fiub":
        raise ValueError(f"{item.name} is not an array of numbers")
    return int(item.nbytes)
