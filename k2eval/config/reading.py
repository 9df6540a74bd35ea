"""Read a YAML file as a mapping, and refuse what YAML would keep in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from k2eval.errors import ConfigError
from k2eval.system import open_file

_MOST_VALUES = 1_000_000
"""Values that a file may have once each alias is written out."""


class _Strict(yaml.SafeLoader):
    """A loader that refuses a key given twice, of which YAML would keep the last one, and aliases without end."""

    def get_single_node(self) -> yaml.Node | None:
        """Compose the document, and count its values before any are made."""
        node = super().get_single_node()
        if node is not None:
            _check_size(node)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping, and look at its own keys before any are merged into it."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"expected each key once in a mapping, got {key.value[:100]!r} again. Remove one of them, or begin "
                    "a new entry with “-”",
                    key.start_mark,
                )
            seen.add((key.tag, key.value))
        return node


def _check_size(root: yaml.Node) -> None:
    """Refuse values that contain themselves, or that become too many: a few lines of aliases can fill the memory."""
    sizes: dict[int, int] = {}

    def size_of(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) not in sizes:
            sizes[id(node)] = _MOST_VALUES  # for as long as it is being counted
            pairs = node.value if isinstance(node, yaml.MappingNode) else ((part,) for part in node.value)
            sizes[id(node)] = 1 + sum(size_of(part) for pair in pairs for part in pair)
        return sizes[id(node)]

    if size_of(root) > _MOST_VALUES:
        raise yaml.constructor.ConstructorError(
            None,
            None,
            "expected fewer values: its aliases (*name) repeat too much, or themselves",
            root.start_mark,
        )


def read_yaml(file: Path, title: str = "configuration") -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Args:
        file: The file.
        title: The kind of file, for messages.

    Raises:
        ConfigError: If the file cannot be read, or holds something else.
    """
    try:
        with open_file(file) as source:
            content = _Strict(source.read().decode()).get_single_data()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Cannot read the {title} {file}: {error}. Give a readable YAML file.") from error
    except (
        Exception
    ) as error:  # PyYAML raises ValueError for a date that is none, RecursionError for deep nesting
        raise ConfigError(f"{file} is not valid YAML: {type(error).__name__}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must hold a mapping of settings, got {type(content).__name__}.")
    return content
