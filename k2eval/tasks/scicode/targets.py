"""Read the targets of SciCode's tests: HDF5 files in the layout of the official ``test_data.h5``.

``STEP/testN`` holds one value per name (``var1``, ``var2`` …): a number, an array, a text, or a group with a
``list``, a ``sparse_matrix`` or the entries of a dictionary. Values are read as by the official reader
(``scicode/parse/parse.py`` at revision 588b406).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
from scipy import sparse

from k2eval.errors import DataError
from k2eval.records import Json


@lru_cache(maxsize=64)
def read_targets(files: tuple[str, ...], step: str, count: int) -> tuple[Any, ...]:
    """Return the targets of a step's tests, in order.

    Args:
        files: Paths of HDF5 files; the first that has the step is read.
        step: Number of the step, such as ``10.2``.
        count: Number of tests of the step.

    Raises:
        DataError: If no file has the step, or a test's target is missing.
    """
    for path in files:
        try:
            with h5py.File(path) as file:
                if step in file:
                    return tuple(_test(file, step, number + 1, path) for number in range(count))
        except OSError as error:
            raise DataError(f"Cannot read SciCode's targets in {path}: {error}.") from error
    where = ", ".join(Path(path).name for path in files) or "no HDF5 file was found"
    raise DataError(
        f"The targets of SciCode step {step} are missing ({where}). Put the official test_data.h5 into the folder "
        "scicode of the data folder; SciCode's README (github.com/scicode-bench/SciCode) says where it is."
    )


def steps_with_targets(files: Sequence[Json]) -> frozenset[str]:
    """Return the steps whose targets are in one of the files; a file that cannot be read holds none."""
    steps: set[str] = set()
    for path in files:
        try:
            with h5py.File(str(path)) as file:
                steps |= set(file)
        except OSError:
            continue
    return frozenset(steps)


def _test(file: h5py.File, step: str, number: int, path: str) -> Any:
    group = file.get(f"{step}/test{number}")
    if not isinstance(group, h5py.Group) or not len(group):
        raise DataError(f"{path}: expected the group {step}/test{number} with at least one value, got none.")
    values = [_value(group[name]) for name in group]
    return values[0] if len(values) == 1 else tuple(values)


def _value(node: h5py.Dataset | h5py.Group) -> Any:
    if isinstance(node, h5py.Dataset):
        return _plain(node[()])
    first = next(iter(node), None)
    if first == "list":
        return [item[()] for item in node["list"].values()]
    if first == "sparse_matrix":
        return _matrix(node["sparse_matrix"])
    return {_key(name, item): _entry(item) for name, item in node.items()}


def _entry(item: h5py.Dataset | h5py.Group) -> Any:
    return _matrix(item["sparse_matrix"]) if isinstance(item, h5py.Group) else _plain(item[()])


def _key(name: str, item: h5py.Dataset | h5py.Group) -> str | float:
    """Return the key of an entry: a name that is a number was a number, except with matrices and texts."""
    if isinstance(item, h5py.Group) or isinstance(item[()], bytes):
        return name
    try:
        return float(name)
    except ValueError:
        return name


def _matrix(group: Mapping[str, Any]) -> Any:
    data, shape = group["data"][()], tuple(group["shape"][()])
    if "row" in group and "col" in group:
        return sparse.coo_matrix((data, (group["row"][()], group["col"][()])), shape=shape)
    parts = (data, group["indices"][()], group["indptr"][()])
    if "blocksize" in group:
        return sparse.bsr_matrix(parts, shape=shape, blocksize=tuple(group["blocksize"][()]))
    return sparse.csr_matrix(parts, shape=shape)


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def target_files(folders: Sequence[Path]) -> list[Json]:
    """Return the paths of all HDF5 files in the folders, the official file first."""
    files = {path for folder in folders for pattern in ("*.h5", "*.hdf5") for path in folder.glob(pattern)}
    return [str(path) for path in sorted(files, key=lambda path: (path.name != "test_data.h5", str(path)))]
