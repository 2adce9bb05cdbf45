"""Tokens a second of Hugging Face's tokenizers in Python, alone and with a numpy collator that pads, masks 15 % of the tokens
that are not special, and replaces 80/10/10. Called by bench/tokenize.ts; prints a JSON list.

usage: tokenizePeer.py TOKENIZER.json TEXTS.json BATCH LENGTH REPEATS
"""
import json
import sys
import time

import numpy as np
from tokenizers import Tokenizer

path, texts, size, length, repeats = sys.argv[1], json.load(open(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
tokenizer = Tokenizer.from_file(path)
vocabulary, mask_id = tokenizer.get_vocab_size(), tokenizer.token_to_id("[MASK]")
rng = np.random.default_rng(0)


def encode():
    tokens = 0
    for at in range(0, len(texts), size):
        for encoding in tokenizer.encode_batch_fast(texts[at : at + size], add_special_tokens=False):
            tokens += len(encoding.ids)
    return tokens


def batches():
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]", pad_to_multiple_of=8)
    for at in range(0, len(texts), size):
        encodings = tokenizer.encode_batch_fast(texts[at : at + size])
        ids = np.array([e.ids for e in encodings], dtype=np.int32)
        special = np.array([e.special_tokens_mask for e in encodings], dtype=bool)
        attention = np.array([e.attention_mask for e in encodings], dtype=np.int32)
        yield ids, special, attention


def tokenize():
    return sum(int(attention.sum()) for _, _, attention in batches())


def collate():
    tokens = 0
    for ids, special, attention in batches():
        labels = ids.copy()
        hidden = (rng.random(ids.shape) < 0.15) & ~special
        labels[~hidden] = -100
        masked = hidden & (rng.random(ids.shape) < 0.8)
        ids[masked] = mask_id
        drawn = hidden & ~masked & (rng.random(ids.shape) < 0.5)
        ids[drawn] = rng.integers(0, vocabulary, ids.shape, dtype=np.int32)[drawn]
        tokens += int(attention.sum())
    return tokens


lines = []
for way, once in (("encode", encode), ("tokenize", tokenize), ("tokenize, mask, corrupt", collate)):
    rates = []
    for repeat in range(repeats + 1):
        start = time.perf_counter()
        tokens = once()
        if repeat > 0:
            rates.append(tokens / (time.perf_counter() - start))
    lines.append({"way": way, "tokens": tokens, "tokensPerSecond": round(sorted(rates)[len(rates) // 2])})
print(json.dumps(lines))
