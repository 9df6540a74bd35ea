"""Find the folders of the repository's root that travel with k2eval: ``tasks`` and ``leaderboards``."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_path(*path: str) -> Path:
    """Return the path of a file or folder of the repository's root, in a checkout or in an installed package.

    ``setup.py`` puts ``tasks`` of the repository into wheels as ``k2eval/_tasks``. A checkout has no such folder. So
    its own files are read, even if it is installed with ``pip install -e``.
    """
    first, *rest = path
    packed = _PACKAGE / f"_{first}"
    return (packed if packed.is_dir() else _PACKAGE.parent / first).joinpath(*rest)
