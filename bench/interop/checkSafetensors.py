"""Checks the safetensors files of maskflow with the Python library, both ways.

    python -m venv ENV && ENV/bin/pip install safetensors numpy      # an environment outside the clone
    ENV/bin/python bench/interop/checkSafetensors.py [FILE.safetensors ...]

First node writes tensors of every type and this script compares values; then this script writes F16, F32, F64, I32, I64,
U8 and BOOL and node compares. Files given (a checkpoint's) are opened too: every tensor must be readable and finite.
One JSON line a check; the exit code is 1 where one fails.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = """
import { readFileSync, writeFileSync } from 'node:fs';
import { createJiti } from 'jiti';
const { decodeSafetensors, encodeSafetensors } = await createJiti(process.cwd() + '/').import('./src/formats/safetensors.ts');
const [path] = process.argv.slice(1);
"""
WRITE = """
const ramp = (Type, shape, step) => ({ data: Type.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i * step), shape });
writeFileSync(path, encodeSafetensors(new Map([
  ['encoder.weight', ramp(Float32Array, [3, 5], 0.25)], ['steps', ramp(Int32Array, [7], -3)], ['mask', ramp(Uint8Array, [1, 3], 1)],
  ['scalar', ramp(Float32Array, [], 1)], ['empty', ramp(Float32Array, [0, 4], 1)], ['Grün "quoted"', ramp(Float32Array, [2], 1)], ['10', ramp(Uint8Array, [1], 1)],
]), { format: 'pt', note: 'ü' }));
"""
READ = """
const tensors = decodeSafetensors(readFileSync(path), { file: path });
console.log(JSON.stringify([...tensors].map(([name, { data, shape }]) => [name, data.constructor.name, shape, [...data]])));
"""


def node(code: str, path: Path) -> str:
    done = subprocess.run(["node", "--input-type=module", "-e", PRELUDE + code, str(path)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


failed = 0


def check(name: str, holds: bool) -> None:
    global failed
    failed += not holds
    print(json.dumps({"check": f"safetensors: {name}", "ok": bool(holds)}))


with tempfile.TemporaryDirectory() as folder:
    # 1. Ours, read by the library.
    path = Path(folder) / "ours.safetensors"
    node(WRITE, path)
    ramp = lambda dtype, shape, step: (np.arange(np.prod(shape, dtype=int)) * step).astype(dtype).reshape(shape)
    expected = {
        "encoder.weight": ramp(np.float32, (3, 5), 0.25),
        "steps": ramp(np.int32, (7,), -3),
        "mask": ramp(np.uint8, (1, 3), 1),
        "scalar": ramp(np.float32, (), 1),
        "empty": ramp(np.float32, (0, 4), 1),
        'Grün "quoted"': ramp(np.float32, (2,), 1),
        "10": ramp(np.uint8, (1,), 1),
    }
    read = load_file(path)
    check("names", set(read) == set(expected))
    for name, value in expected.items():
        check(f"ours, {name}", read[name].dtype == value.dtype and read[name].shape == value.shape and np.array_equal(read[name], value))
    with safe_open(path, framework="numpy") as file:
        check("metadata", file.metadata() == {"format": "pt", "note": "ü"})
    # 2. The library's, read by ours.
    path = Path(folder) / "theirs.safetensors"
    values = np.array([0.0, -0.0, 1.5, -2.25, 6.1e-5, 3e-6, 65504.0])
    theirs = {
        "f16": values.astype(np.float16),
        "f32": values.astype(np.float32).reshape(7, 1),
        "f64": values,
        "i32": np.array([-(2**31), 2**31 - 1], np.int32),
        "i64": np.array([[-5, 2**31 - 1]], np.int64),
        "u8": np.array([0, 255, 7], np.uint8),
        "bool": np.array([True, False, True]),
    }
    save_file(theirs, path, metadata={"format": "np"})
    kinds = {"f16": "Float32Array", "f32": "Float32Array", "f64": "Float32Array", "i32": "Int32Array", "i64": "Int32Array", "u8": "Uint8Array", "bool": "Uint8Array"}
    for name, kind, shape, data in json.loads(node(READ, path)):
        wanted = theirs[name].astype({"Float32Array": np.float32, "Int32Array": np.int32, "Uint8Array": np.uint8}[kind])
        check(f"theirs, {name}", kind == kinds[name] and tuple(shape) == wanted.shape and np.array_equal(np.array(data, wanted.dtype), wanted.ravel()))

# 3. Files of the user's.
for argument in sys.argv[1:]:
    tensors = load_file(argument)
    finite = all(np.isfinite(value).all() for value in tensors.values() if value.dtype.kind == "f")
    check(f"{argument}: {len(tensors)} tensors, finite", len(tensors) > 0 and finite)

sys.exit(1 if failed else 0)
