"""Chance that is the same again for the same seed."""

import random


def dice(seed: str) -> random.Random:
    """Of their own for each seed, so that what one part of a world draws does not shift another's."""
    return random.Random(seed)
