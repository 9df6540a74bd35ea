"""Read a YAML file as a mapping, and refuse what YAML would keep in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from k2eval.errors import ConfigError
from k2eval.system import open_file


class _UniqueKeys(yaml.SafeLoader):
    """A loader that refuses a key given twice, of which YAML would keep the last one in silence."""

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
            content = _UniqueKeys(source.read().decode()).get_single_data()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Cannot read the {title} {file}: {error}. Give a readable YAML file.") from error
    except (
        Exception
    ) as error:  # PyYAML raises ValueError for a date that is none, RecursionError for deep nesting
        raise ConfigError(f"{file} is not valid YAML: {type(error).__name__}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must hold a mapping of settings, got {type(content).__name__}.")
    return content
