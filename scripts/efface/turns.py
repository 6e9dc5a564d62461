"""Which volume of an image each frame belongs to, by the clocks in its header or its diffusion weighting."""

import numpy as np

from efface import gradients
from efface.claims import CLOCKS, Claim, Unproved


def turns_of(claims: list[Claim], planes: list[int], volumes: int, weightings: list | None) -> list[int]:
    """Return the volume each frame belongs to; every clock that tells the frames apart must agree.

    In a diffusion image a clock that mixes weightings in one volume tells something else. Where none is left,
    the number of the frame's file orders the volumes, or only the weightings themselves, by their first file.
    """
    groups: dict[int, list[int]] = {}
    for number, plane in enumerate(planes):
        groups.setdefault(plane, []).append(number)
    if any(len(group) != volumes for group in groups.values()):
        raise Unproved("a plane of the image has more or fewer frames than the image has volumes")
    if volumes == 1:
        return [0] * len(claims)
    clocks = [[claim.clocks.get(name) for claim in claims] for name in CLOCKS]
    orders = [order for clock in clocks if (order := _order(groups, clock))]
    numbers = [claim.file.get("InstanceNumber") for claim in claims]
    if weightings:
        keys = [_weighting_key(weighting) for weighting in weightings]
        by_number = _order(groups, numbers)
        last = by_number if by_number and _pure(by_number, keys) else _by_weighting(groups, keys, numbers)
        orders = [order for order in orders if _pure(order, keys)] or [last]
    if not orders and all(claim.file.get("NumberOfTemporalPositions") == volumes for claim in claims):
        orders = [_order(groups, numbers)]
    if not orders or not orders[0] or any(order != orders[0] for order in orders):
        raise Unproved("the order of the volumes cannot be proved: no clock tells it, or two disagree")
    return orders[0]


def _pure(order: list[int], keys: list[tuple]) -> bool:
    """Say whether each volume of an order has one weighting."""
    return len(set(zip(order, keys, strict=True))) == len(set(order))


def _by_weighting(groups: dict[int, list[int]], keys: list[tuple], numbers: list) -> list[int]:
    """Return each frame's volume where every plane has each weighting once, an empty list otherwise."""
    if any(len({keys[number] for number in group}) < len(group) for group in groups.values()):
        return []
    firsts: dict[tuple, int] = {}
    for key, number in zip(keys, numbers, strict=True):
        firsts[key] = min(firsts.get(key, number or 0), number or 0)
    ordered = sorted(firsts, key=lambda key: (firsts[key], key[0], key[1] or ()))
    return [ordered.index(key) for key in keys]


def _order(groups: dict[int, list[int]], clock: list) -> list[int]:
    """Return each frame's rank at its plane by one clock, an empty list when it does not tell all apart."""
    turns = [0] * len(clock)
    for group in groups.values():
        ticks = [clock[number] for number in group]
        if None in ticks or len(set(ticks)) != len(ticks):
            return []
        for turn, number in enumerate(sorted(group, key=clock.__getitem__)):
            turns[number] = turn
    return turns


def gradient_faults(
    weightings: list, turns: list[int], texts: tuple[str, str], affine: np.ndarray
) -> list[str]:
    """Return what is wrong with the b-values and directions that are written beside a diffusion image."""
    by_turn: dict[int, list] = {}
    for weighting, turn in zip(weightings, turns, strict=True):
        by_turn.setdefault(turn, []).append(weighting)
    if any(not _one_weighting(volume) for volume in by_turn.values()):
        return ["the frames of one volume have different diffusion weightings"]
    return gradients.faults([by_turn[turn][0] for turn in sorted(by_turn)], *texts, affine)


def _one_weighting(volume: list) -> bool:
    return len({_weighting_key(weighting) for weighting in volume}) == 1


def _weighting_key(weighting) -> tuple:
    b_value, direction = weighting
    return b_value, None if direction is None else tuple(np.round(direction, 3).tolist())
