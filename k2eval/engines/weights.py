"""Weights files on disk: their tensors by the headers, and whether they are whole."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

INDEX, BIN_INDEX = "model.safetensors.index.json", "pytorch_model.bin.index.json"
_LENGTH_BYTES = 8
_MOST_HEADER = 100_000_000
"""Bytes of a header, as the format limits it (https://huggingface.co/docs/safetensors)."""
_METADATA = "__metadata__"


class Tensor(NamedTuple):
    """The form of one tensor."""

    dtype: str
    shape: tuple[int, ...]


class WeightsFault(Exception):
    """A weights file is damaged, or not whole as yet."""


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Return the form of each tensor in the safetensors files of a checkpoint, from their headers alone.

    Raises:
        WeightsFault: If there are none, or a file is not whole.
    """
    files = _safetensors_of(folder)
    if not files:
        raise WeightsFault("it has no safetensors files")
    return {name: tensor for file in files for name, tensor in read_header(file).items()}


def missing_part(folder: Path) -> str | None:
    """Return why the weights of a checkpoint are not whole; None if they are.

    The length of a safetensors file must be that of its header and its tensors, and an index must name files and
    tensors that are there. Of other files only the end is looked at.
    """
    try:
        files = _safetensors_of(folder)
        if files:
            tensors = {name for file in files for name in read_header(file)}
            missing = set(_index(folder / INDEX)) - tensors
            return f"no file holds the tensor {min(missing)!r:.100}" if missing else None
        return _fault_of_bin(folder)
    except WeightsFault as fault:
        return str(fault)
    except OSError as error:
        return f"{error.strerror}: {error.filename}"


def read_header(file: Path) -> dict[str, Tensor]:
    """Return the tensors that the header of a safetensors file describes.

    Raises:
        WeightsFault: If it is no such file, or has another length than its header tells.
        OSError: If it cannot be read.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        if not 2 <= length <= min(size - _LENGTH_BYTES, _MOST_HEADER):
            raise WeightsFault(f"{file.name} has {size} bytes, which is too short for its header")
        text = stream.read(length)
    try:
        entries = json.loads(text)
        tensors = {name: _tensor(entry) for name, entry in entries.items() if name != _METADATA}
        end = max(
            (int(entry["data_offsets"][1]) for name, entry in entries.items() if name in tensors), default=0
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise WeightsFault(f"{file.name} has no header of safetensors") from error
    expected = _LENGTH_BYTES + length + end
    if size != expected:
        raise WeightsFault(f"{file.name} has {size} of {expected} bytes")
    return tensors


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    return Tensor(str(entry["dtype"]), tuple(int(length) for length in entry["shape"]))


def _safetensors_of(folder: Path) -> list[Path]:
    """Return the files that an index names, or else all there are, if no part of a series is missing."""
    index = folder / INDEX
    if index.is_file():
        files = [folder / name for name in sorted(set(_index(index).values()))]
    else:
        files = sorted(path for path in folder.glob("*.safetensors") if path.is_file())
        files += _missing_parts(files)
    gone = [file.name for file in files if not file.is_file()]
    if gone:
        raise WeightsFault(f"{gone[0]} is missing")
    return files


def _missing_parts(files: list[Path]) -> list[Path]:
    """Return the files of series such as ``model-00001-of-00004.safetensors`` that are not there."""
    there = {file.name for file in files}
    missing = []
    for file in files:
        start, mark, count = file.stem.rpartition("-of-")
        if not mark or not count.isdecimal() or len(count) > 5:
            continue
        name, _, number = start.rpartition("-")
        parts = [
            f"{name}-{part:0{len(number)}d}-of-{count}{file.suffix}" for part in range(1, int(count) + 1)
        ]
        missing = [file.with_name(part) for part in parts if part not in there]
        if missing:
            break
    return missing


def _index(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        places = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        names = {str(name): str(place) for name, place in places.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsFault(f"{path.name} cannot be read") from error
    if any(Path(place).name != place for place in names.values()):
        raise WeightsFault(f"{path.name} names files outside of its folder")
    return names


def _fault_of_bin(folder: Path) -> str | None:
    index = folder / BIN_INDEX
    files = [folder / name for name in sorted(set(_index(index).values()))]
    files = files or sorted(folder.glob("*.bin")) or sorted(folder.glob("*.pt"))
    if not files:
        return "it has no weights"
    for file in files:
        if not file.is_file():
            return f"{file.name} is missing"
        if not zipfile.is_zipfile(file):
            return f"{file.name} has no end"
    return None
