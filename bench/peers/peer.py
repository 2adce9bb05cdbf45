"""What the Python peers of bench/step.ts share: the job (weights, batch, settings) read from a folder, and the conversation
with the driver. The folder holds `job.json`, `weights.safetensors` and `batch.safetensors`; needed is numpy alone.

A peer takes the job's first steps, whose losses are checked against ours, and says so in one JSON line. Then it answers every
line with a number of steps by their milliseconds, and the processor's per burst."""
import json
import os
import struct
import sys
import time

import numpy as np

DTYPES = {'F32': np.float32, 'I32': np.int32, 'U8': np.uint8}


def read_safetensors(path):
    with open(path, 'rb') as file:
        raw = file.read()
    (length,) = struct.unpack('<Q', raw[:8])
    header = json.loads(raw[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == '__metadata__':
            continue
        begin, end = entry['data_offsets']
        tensors[name] = np.frombuffer(raw[8 + length + begin : 8 + length + end], DTYPES[entry['dtype']]).reshape(entry['shape']).copy()
    return tensors


class Job:
    """`weights` (trained), `decays` (names), `tables` (fixed), `batch`, and the settings of job.json as attributes.

    Weights are as PyTorch lays them out, [outputs, inputs]; query, key and value are one matrix, as a user of these frameworks
    would have it, and the patch projection is one too. Adam works element by element, so neither changes a step."""

    def __init__(self, folder):
        with open(os.path.join(folder, 'job.json')) as file:
            self.__dict__.update(json.load(file))
        weights = read_safetensors(os.path.join(folder, 'weights.safetensors'))
        self.batch = read_safetensors(os.path.join(folder, 'batch.safetensors'))
        self.tables = {name: weights.pop(name) for name in self.fixed}
        decays = set(self.decays)
        for name in [name for name in weights if '.attention.attention.query.' in name]:
            parts = [name.replace('.query.', f'.{part}.') for part in ('query', 'key', 'value')]
            fused = name.replace('.query.', '.qkv.')
            if name in decays:
                decays.add(fused)
            weights[fused] = np.concatenate([weights.pop(part) for part in parts])
        projection = 'vit.embeddings.patch_embeddings.projection.weight'
        if projection in weights:  # [width, channels, height, width of a patch]; patches are flat with the channel fastest
            weight = weights[projection]
            weights[projection] = np.ascontiguousarray(weight.transpose(0, 2, 3, 1).reshape(weight.shape[0], -1))
        self.weights = weights
        self.decays = {name for name in weights if name in decays}

    def restore_ids(self):
        """[rows, tokens], the place of each token in visible tokens followed by mask tokens, as in MAE's code."""
        mask = self.batch['mask'].reshape(len(self.batch['mask']), -1)
        visible = self.batch['visible'].shape[1]
        return np.where(mask > 0, visible + np.cumsum(mask > 0, 1) - 1, self.batch['restore']).astype(np.int32)


def limit_processors(threads):
    """For frameworks that take as many threads as they may use processors (Linux)."""
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def resident():
    """Bytes of the resident set now; 0 where the system does not tell."""
    try:
        with open('/proc/self/statm') as file:
            return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    except OSError:
        return 0


def say(**message):
    print(json.dumps(message), flush=True)


def serve(job, version, step):
    """Takes the first steps with `step` (which answers the loss as a float), then answers the driver until it hangs up."""
    start_rss = resident()
    losses, milliseconds = [], []
    for _ in range(job.checks):
        begin = time.perf_counter()
        losses.append(step())
        milliseconds.append((time.perf_counter() - begin) * 1e3)
    say(ready=True, version=version, losses=losses, ms=milliseconds, startRss=start_rss)
    for line in sys.stdin:
        milliseconds = []
        processor = time.process_time()
        for _ in range(int(line)):
            begin = time.perf_counter()
            step()
            milliseconds.append((time.perf_counter() - begin) * 1e3)
        say(ms=milliseconds, processor=(time.process_time() - processor) * 1e3)
