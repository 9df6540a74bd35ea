"""Checkpoints on disk: their existence, and their identity."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from k2eval.errors import ConfigError
from k2eval.records import digest

_SAMPLED_BYTES = 1 << 20
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf")
_POINTER = b"version https://git-lfs"
"""Begin of the file that Git leaves in place of a large one."""
_SUFFIXES = (".json", ".safetensors", ".bin", ".txt", ".model", ".jinja")


def checkpoint_fingerprint(model: str, commit: str | None = None) -> str:
    """Return a digest that changes when a checkpoint changes; of a hub model, the digest of its name and commit.

    Small files are read whole. Of each weights file the size and four samples of 1 MiB are read, so that a checkpoint
    of hundreds of gigabytes costs milliseconds. The place of the folder does not count.

    Raises:
        ConfigError: If a local folder is not a checkpoint.
    """
    folder = Path(model)
    if not is_local(model):
        return hub_fingerprint(model, commit)
    checkpoint_config(model)
    hashed = hashlib.sha256()
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix in _SUFFIXES and path.is_file():
                size = path.stat().st_size
                hashed.update(f"{path.name}:{size}:".encode())
                with path.open("rb") as stream:
                    for part in range(4):
                        stream.seek(size * part // 4)
                        hashed.update(stream.read(_SAMPLED_BYTES))
    except OSError as error:
        raise ConfigError(f"Cannot read the checkpoint {model}: {error}.") from error
    return hashed.hexdigest()[:32]


def hub_fingerprint(model: str, commit: str | None) -> str:
    """Return the digest of a model on the hub: that of its name and commit."""
    return digest("hub", model, commit) if commit else digest("hub", model)


def checkpoint_config(model: str) -> dict[str, Any]:
    """Read the ``config.json`` of a local checkpoint; return an empty mapping for a hub model.

    Raises:
        ConfigError: If there is no checkpoint, or its configuration cannot be read.
    """
    folder = Path(model)
    if not is_local(model):
        return {}
    if not folder.is_dir():
        raise ConfigError(
            f"{model} is a file, expected the folder of a checkpoint. Give the folder with config.json."
        )
    path = folder / "config.json"
    if not path.is_file():
        raise ConfigError(
            f"{model} is not a checkpoint: it has no config.json. Give the folder that holds it."
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"Cannot read {path}: expected the JSON of a checkpoint's configuration; {error}. "
            "Copy the checkpoint again."
        ) from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path}: expected a JSON object, got {type(config).__name__}.")
    return config


def weight_bytes(model: str) -> int:
    """Return the size of a local checkpoint's weights on disk; 0 for a hub model."""
    return sum(path.stat().st_size for path in Path(model).glob("*.safetensors")) if is_local(model) else 0


def weights_fault(model: str) -> str | None:
    """Return why the weights of a local checkpoint cannot be loaded: they are missing, or in part; else None."""
    folder = Path(model)
    if not is_local(model):
        return None
    files = [path for pattern in _WEIGHTS for path in sorted(folder.glob(pattern)) if path.is_file()]
    if not files:
        return f"there are no weights in {model} ({', '.join(_WEIGHTS)}): copy the checkpoint whole"
    for path in files:
        with path.open("rb") as stream:
            start = stream.read(len(_POINTER))
        if not start:
            return f"{path.name} is empty: copy the checkpoint again"
        if start == _POINTER:
            return f"{path.name} is a pointer of Git LFS and no weights: `git lfs pull` fetches them"
    for index in sorted(folder.glob("*.index.json")):
        named = _named_in(index)
        missing = sorted(name for name in named if not (folder / name).is_file())
        if missing:
            return (
                f"{len(missing)} of {len(named)} files of weights that {index.name} names are missing, such as "
                f"{missing[0]!r:.100}: copy the checkpoint whole"
            )
    return None


def _named_in(index: Path) -> set[str]:
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        return {str(name) for name in content["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def checkpoint_file(model: str, name: str, revision: str | None = None) -> Path | None:
    """Return a file of a checkpoint; None if it has no such file, or the hub cannot be asked.

    Args:
        model: A folder, or a name on the hub.
        name: The file's name, such as ``tokenizer_config.json``.
        revision: Commit, tag or branch on the hub.
    """
    if is_local(model):
        path = Path(model) / name
        return path if path.is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(hf_hub_download(model, name, revision=revision))
    except (HfHubHTTPError, OSError, ValueError):
        return None


def is_local(model: str) -> bool:
    """Return whether a model lies in a folder here; otherwise its name is one on the hub.

    Raises:
        ConfigError: If it is neither.
    """
    try:
        if Path(model).exists():
            return True
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read the checkpoint {model}: {error}.") from error
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise ConfigError(
            f"There is no checkpoint at {model}. Give a folder with config.json, or a hub name owner/name."
        )
    return False
