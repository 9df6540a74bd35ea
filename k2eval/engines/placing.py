"""The cards of engines that live side by side in one process, told before any of them starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from k2eval.config import RunConfig
from k2eval.errors import ConfigError

_ROUNDING = 1e-9


class Need(NamedTuple):
    """The cards that one engine needs."""

    name: str
    cards: int
    """Number of cards over which its model is split."""
    share: float
    """The share of each card's memory that it takes."""


def place_engines(needs: Sequence[Need], cards: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the cards of each engine: free ones first, then those with the most room left.

    >>> place_engines([Need("a", 2, 0.9), Need("b", 1, 0.9)], ["0", "1", "2", "3"])
    [('0', '1'), ('2',)]
    >>> place_engines([Need("a", 1, 0.45), Need("b", 1, 0.45)], ["0"])
    [('0',), ('0',)]

    Args:
        needs: The needs of the engines.
        cards: Names of the cards, as ``CUDA_VISIBLE_DEVICES`` takes them.

    Raises:
        ConfigError: If there is no room for one of them.
    """
    room = dict.fromkeys(cards, 1.0)
    placed = []
    for need in sorted(needs, key=lambda need: -need.cards):  # the largest finds its cards first
        fitting = [card for card in sorted(cards, key=lambda card: -room[card]) if _fits(room[card], need)]
        if len(fitting) < need.cards:
            raise ConfigError(
                f"Expected room for {len(needs)} engines beside each other on {len(cards)} "
                f"card{'s' * (len(cards) > 1)}, got none for {need.name}, which takes {need.share:.0%} of "
                f"{need.cards}. Give each a part of a card, such as --set engine.gpu_memory_utilization="
                f"{_part(needs, cards):.2f}, or start servers and race those: NAME=MODEL@URL."
            )
        chosen = fitting[: need.cards]
        for card in chosen:
            room[card] -= need.share
        placed.append((need, tuple(sorted(chosen, key=list(cards).index))))
    return [next(chosen for other, chosen in placed if other is need) for need in needs]


def _fits(room: float, need: Need) -> bool:
    return need.share <= room + _ROUNDING


def _part(needs: Sequence[Need], cards: Sequence[str]) -> float:
    """Return the share of a card that each engine could take if all took the same."""
    engines_a_card = -(-sum(need.cards for need in needs) // len(cards))
    return int(90 / max(engines_a_card, 1)) / 100


def cards_of_configs(configs: Sequence[RunConfig | None]) -> list[tuple[str, ...]]:
    """Return the cards for the engine of each configuration; none where the engine finds its own.

    Only engines of vLLM in this process are placed, and only if there are several of them. Replicas are placed by Ray.

    Args:
        configs: Configurations whose engines will live at the same time; None for one without an engine.

    Raises:
        ConfigError: If they do not fit side by side.
    """
    from k2eval.engines.ray import card_names, cards_here, cards_of_one, share_of

    cards: list[tuple[str, ...]] = [()] * len(configs)
    local = [
        (index, config)
        for index, config in enumerate(configs)
        if config is not None
        and config.engine.kind == "vllm"
        and config.fleet.replicas in ("auto", 1)
        and not config.fleet.cluster
    ]
    names = card_names() if len(local) > 1 else ()
    if not names:
        return cards
    needs = [
        Need(
            config.model,
            cards_of_one(config.model, config.engine.arguments, cards_here()),
            share_of(config.engine.arguments),
        )
        for _, config in local
    ]
    for (index, _), chosen in zip(local, place_engines(needs, names), strict=True):
        cards[index] = chosen
    return cards
