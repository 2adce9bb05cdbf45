"""Writes tests/models/textEncoder.reference.json: what Hugging Face's own models compute with weights given by a formula.

    python bench/interop/textReference.py tests/models/textEncoder.reference.json

Parameter j in order of names, element i: 0.3 sin(1 + 0.37 i + 1.3 j), plus 1 for the scales of norms. Tokens, lengths, segments
and labels stand in the file. `modern` is LlamaForCausalLM with an attention mask that hides padding only. For each model:
logits of the tokens that exist, the mean loss over labels, and of every gradient its norm and its inner product with
cos(0), cos(1), ... Needs torch, transformers.
"""

import json
import re
import sys

import torch
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

VOCABULARY, ROWS, LENGTH = 13, 3, 7
tokens = [[(5 * r + 3 * i + i * i) % VOCABULARY for i in range(LENGTH)] for r in range(ROWS)]
lengths = [7, 4, 5]
segments = [[int(3 <= i < lengths[r] and r != 1) for i in range(LENGTH)] for r in range(ROWS)]
labels = [[(7 * r + 2 * i) % VOCABULARY if (r + i) % 3 == 0 and i < lengths[r] else -100 for i in range(LENGTH)] for r in range(ROWS)]
keys = torch.tensor([[int(i < lengths[r]) for i in range(LENGTH)] for r in range(ROWS)])


def fill(model):
    named = dict(model.named_parameters())
    with torch.no_grad():
        for j, name in enumerate(sorted(named)):
            p = named[name]
            i = torch.arange(p.numel(), dtype=torch.float64)
            values = 0.3 * torch.sin(1 + 0.37 * i + 1.3 * j) + (1 if re.search(r"norm\.weight$", name, re.I) else 0)
            p.copy_(values.reshape(p.shape).to(p.dtype))
    return named


def answer(model, **inputs):
    named = fill(model)
    model.eval()
    logits = model(input_ids=torch.tensor(tokens), **inputs).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor(labels).flatten(), ignore_index=-100)
    loss.backward()
    gradients = {}
    for name in sorted(named):
        g = named[name].grad.double().flatten()
        gradients[name] = [g.norm().item(), (g * torch.cos(torch.arange(g.numel(), dtype=torch.float64))).sum().item()]
    kept = [logits[r, : lengths[r]].flatten().tolist() for r in range(ROWS)]
    return {"logits": [round(x, 7) for row in kept for x in row], "loss": loss.item(), "gradients": gradients}


def main(path):
    sizes = dict(vocab_size=VOCABULARY, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, max_position_embeddings=10)
    bert = BertForMaskedLM(BertConfig(**sizes, type_vocab_size=2, hidden_dropout_prob=0, attention_probs_dropout_prob=0, pad_token_id=None))
    llama = LlamaForCausalLM(LlamaConfig(**sizes, rms_norm_eps=1e-5, tie_word_embeddings=True, pad_token_id=None, bos_token_id=None, eos_token_id=None))
    hidden = (1.0 - keys[:, None, None, :].float()).expand(ROWS, 1, LENGTH, LENGTH) * -1e9
    reference = {
        "tokens": tokens,
        "lengths": lengths,
        "segments": segments,
        "labels": labels,
        "bert": answer(bert, attention_mask=keys, token_type_ids=torch.tensor(segments)),
        "modern": answer(llama, attention_mask=hidden),
    }
    with open(path, "w") as file:
        json.dump(reference, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
