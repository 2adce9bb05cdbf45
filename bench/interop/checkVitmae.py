"""Compares a checkpoint of maskflow's vitMae with Hugging Face's ViTMAEForPreTraining.

    python bench/interop/checkVitmae.py FOLDER reference.json

FOLDER holds model.safetensors and config.json (a step folder of a run's checkpoints, or `maskflow export`).
reference.json holds what maskflow computed with these weights:
    {"tokens": [rows][tokens][patchDim], "mask": [rows][tokens] (1 = hidden), "prediction": [rows][tokens][patchDim]}
where every row hides the same number of tokens and patches are square, channel fastest.

The checkpoint must load with no parameter missing, left over or of another shape, and the predictions must agree to 1e-4.
Prints one JSON object; exit code 1 where something differs. Needs torch, transformers, safetensors.
"""

import json
import sys

import torch  # noqa: E402
from transformers import ViTMAEForPreTraining  # noqa: E402

TOLERANCE = 1e-4


def unpatchify(tokens, patch, channels, rows, columns):
    """[batch, rows * columns, patch * patch * channels], channel fastest, to [batch, channels, height, width]."""
    batch = tokens.shape[0]
    grid = tokens.reshape(batch, rows, columns, patch, patch, channels)
    return grid.permute(0, 5, 1, 3, 2, 4).reshape(batch, channels, rows * patch, columns * patch)


def main(folder, path):
    with open(path) as file:
        reference = json.load(file)
    tokens = torch.tensor(reference["tokens"], dtype=torch.float32)
    mask = torch.tensor(reference["mask"], dtype=torch.float32)
    expected = torch.tensor(reference["prediction"], dtype=torch.float32)

    model, report = ViTMAEForPreTraining.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    model.eval()
    problems = {key: sorted(map(str, report.get(key) or [])) for key in ("missing_keys", "unexpected_keys", "mismatched_keys")}

    batch, count, _ = tokens.shape
    kept = (mask == 0).sum(dim=1)
    if len(set(kept.tolist())) != 1:
        raise SystemExit("every row must hide the same number of tokens: the reference model knows one ratio a batch")
    # Half a token more than kept, so that the truncation inside the model gives exactly `kept`.
    model.config.mask_ratio = 1 - (int(kept[0]) + 0.5) / count
    # Noise that ranks visible tokens first, in raster order, then hidden ones.
    noise = mask + torch.arange(count) / (10 * count)

    side = round(count**0.5)
    patch, channels = model.config.patch_size, model.config.num_channels
    with torch.no_grad():
        output = model(unpatchify(tokens, patch, channels, side, count // side), noise=noise)
    difference = (output.logits - expected).abs().max().item()
    agree = torch.equal(output.mask, mask) and difference <= TOLERANCE and not any(problems.values())
    print(json.dumps({"ok": agree, "maxAbsoluteDifference": difference, "masksEqual": torch.equal(output.mask, mask), **problems}))
    return 0 if agree else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
