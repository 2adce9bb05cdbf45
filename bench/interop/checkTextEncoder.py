"""Compares a folder of maskflow's textEncoder with Hugging Face's BertForMaskedLM (or LlamaForCausalLM without causal mask).

    python bench/interop/checkTextEncoder.py FOLDER reference.json
    python bench/interop/checkTextEncoder.py --make FOLDER [bert|modern]

FOLDER holds model.safetensors and config.json (a step folder of a run's checkpoints). reference.json holds what maskflow
computed with these weights (bench/interop/textEncoderReference.ts):
    {"tokens": [rows][L], "segments": [rows][L], "lengths": [rows], "logits": [rows][length][vocabulary]}

The folder must load with no parameter missing, left over or of another shape, and the logits of all tokens that exist must agree
to 1e-4. Prints one JSON object; exit code 1 where something differs. With --make it writes a folder of random weights instead, as
Hugging Face saves it, for the other direction. Needs torch, transformers.
"""

import json
import sys

import torch
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

TOLERANCE = 1e-4


def make(folder, kind):
    torch.manual_seed(0)
    sizes = dict(vocab_size=101, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, max_position_embeddings=40, initializer_range=0.2)
    model = BertForMaskedLM(BertConfig(**sizes)) if kind == "bert" else LlamaForCausalLM(LlamaConfig(**sizes))
    # First values leave biases at 0: everything must be read.
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    model.save_pretrained(folder)
    return 0


def main(folder, path):
    with open(path) as file:
        reference = json.load(file)
    with open(f"{folder}/config.json") as file:
        bert = json.load(file)["model_type"] == "bert"
    tokens = torch.tensor(reference["tokens"])
    rows, length = tokens.shape
    keys = torch.arange(length)[None, :] < torch.tensor(reference["lengths"])[:, None]

    kind = BertForMaskedLM if bert else LlamaForCausalLM
    model, report = kind.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    model.eval()
    problems = {key: sorted(map(str, report.get(key) or [])) for key in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    with torch.no_grad():
        if bert:
            logits = model(input_ids=tokens, attention_mask=keys.long(), token_type_ids=torch.tensor(reference["segments"])).logits
        else:
            hidden = torch.where(keys, 0.0, torch.finfo(torch.float32).min)[:, None, None, :].expand(rows, 1, length, length)
            logits = model(input_ids=tokens, attention_mask=hidden).logits
    difference = max((logits[row, : len(expected)] - torch.tensor(expected)).abs().max().item() for row, expected in enumerate(reference["logits"]))
    agree = difference <= TOLERANCE and not any(problems.values())
    print(json.dumps({"ok": agree, "class": kind.__name__, "maxAbsoluteDifference": difference, "largestLogit": logits.abs().max().item(), **problems}))
    return 0 if agree else 1


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--make"] and len(arguments) in (2, 3):
        sys.exit(make(arguments[1], arguments[2] if len(arguments) == 3 else "bert"))
    if len(arguments) != 2:
        raise SystemExit(__doc__)
    sys.exit(main(*arguments))
