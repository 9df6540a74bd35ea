"""Say what pyproject.toml cannot: folders of the repository's root travel in the package as data.

``tasks/`` stays at the root, so that stock lm-eval reads it there. In a wheel it is ``k2eval/_tasks``.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["k2eval", "k2eval.*"]), "k2eval._tasks", "k2eval._leaderboards"],
    package_dir={"k2eval._tasks": "tasks", "k2eval._leaderboards": "leaderboards"},
    package_data={
        "": ["*.pyi"],
        "k2eval": ["py.typed"],
        "k2eval._tasks": ["**/*.yaml", "**/*.jsonl", "**/*.h5"],
        "k2eval._leaderboards": ["published.csv"],
        "k2eval.protocols": ["*.yaml"],
        "k2eval.pages": ["*.css", "*.html", "*.js", "report/*.js", "vendor/*", "vendor/*/*"],
    },
)
