"""Random orders and seeds: what runs were made with stays."""

import hashlib

import numpy as np

from zoo.system.seeds import permutation, stream


def test_the_streams_stay_what_they_are():
    """Runs made with another version of NumPy see the same batches: PCG64 and SeedSequence do not change."""
    keys = np.random.PCG64([5, 2]).random_raw(1000)
    assert permutation(1000, 5, 2).tolist() == sorted(range(1000), key=lambda place: keys[place])
    assert hashlib.sha256(permutation(1000, 5, 2).numpy().tobytes()).hexdigest()[:12] == "2e52f0343ed5"
    seeds = {stream(seed, epoch, number) for seed in range(5) for epoch in range(5) for number in range(5)}
    assert len(seeds) == 125 and all(0 <= seed < 2**31 for seed in seeds)
    assert stream(3, 1, 4) == int(np.random.SeedSequence([3, 1, 4]).generate_state(1)[0]) // 2
