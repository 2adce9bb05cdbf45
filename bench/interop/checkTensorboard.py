"""Checks the event files of maskflow with TensorBoard's own readers.

    python -m venv ENV && ENV/bin/pip install tensorboard      # an environment outside the clone
    ENV/bin/python bench/interop/checkTensorboard.py [RUN ...]

Node writes, with the sink itself, a run of ten steps, then its resumption from step 5 (steps 6 to 8), and an image event.
TensorBoard's EventAccumulator must find every step once, steps 6 to 8 from the second file, nothing behind them, and the
image. Where the data server of a default TensorBoard (`tensorboard_data_server`, in Rust) is installed, `tensorboard`
itself is started and asked over HTTP. Folders given (runs) must hold the scalar train/loss with rising steps.
One JSON line a check; the exit code is 1 where one fails.
"""

import json
import math
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = Path(__file__).resolve().parents[2]
WRITE = """
import { appendFileSync, readdirSync } from 'node:fs';
import { createJiti } from 'jiti';
import { from } from 'rxjs';
const jiti = createJiti(process.cwd() + '/');
const { Gate, within } = await jiti.import('./src/core/demand/index.ts');
const { tensorboard } = await jiti.import('./src/sinks/tensorboard.ts');
const { encodePng, encodeEvent } = await jiti.import('./src/formats/index.ts');
const [folder] = process.argv.slice(1);
const step = (n, loss) => ({ rows: 1, columns: {}, origins: [], report: { step: n, loss, learningRate: 0.001, gradientNorm: 1, epoch: n / 10, samples: n, progress: undefined, samplesPerSecond: 100, dataWait: 0 } });
const write = async (first, last, loss, resumed) => {
  const gate = new Gate({ run: { folder, resumed, atStop() {} } });
  const items = Array.from({ length: last - first + 1 }, (_, i) => step(first + i, loss));
  await new Promise((complete, error) => within({ gate }, () => tensorboard('.')(from(items)).subscribe({ complete, error })));
  await gate.closed();
};
await write(1, 10, 0.5);
await write(6, 8, 0.25, { step: 5 });
const png = await encodePng({ data: new Uint8Array(12).fill(200), width: 4, height: 3, channels: 1 });
const newest = readdirSync(folder).sort().at(-1);
appendFileSync(folder + '/' + newest, encodeEvent({ wallTime: 1, step: 8, images: { digits: { png, width: 4, height: 3, channels: 1 } } }));
"""

failed = 0


def check(name: str, holds: bool) -> None:
    global failed
    failed += not holds
    print(json.dumps({"check": f"tensorboard: {name}", "ok": bool(holds)}))


def over_http(folder: str, wanted: list) -> None:
    """Starts TensorBoard on a free port of this machine and asks it for the scalars."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--port", "0", "--load_fast", "true"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=folder
    )
    try:
        url = None
        for line in server.stderr:
            found = re.search(r"http://\S+", line)
            if found:
                url = found.group(0)
                break
        answer = []
        for _ in range(60 if url else 0):
            try:
                with urllib.request.urlopen(f"{url}data/plugin/scalars/scalars?run=.&tag=train%2Floss", timeout=5) as response:
                    answer = [(point[1], point[2]) for point in json.load(response)]
            except OSError:
                answer = []
            if len(answer) == len(wanted):
                break
            time.sleep(0.5)
        check("scalars over HTTP from the default data server", answer == wanted)
    finally:
        server.terminate()
        server.wait()


wanted = [(step, 0.5 if step <= 5 else 0.25) for step in range(1, 9)]
with tempfile.TemporaryDirectory() as folder:
    done = subprocess.run(["node", "--input-type=module", "-e", WRITE, folder], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    events = EventAccumulator(folder, purge_orphaned_data=True)
    events.Reload()
    tags = events.Tags()
    names = ["train/loss", "train/learningRate", "train/gradientNorm", "train/epoch", "speed/samplesPerSecond", "speed/dataWait"]
    check("tags", sorted(tags["scalars"]) == sorted(names) and tags["images"] == ["digits"])
    check("a resumed run replaces the steps behind its checkpoint", [(event.step, event.value) for event in events.Scalars("train/loss")] == wanted)
    image = events.Images("digits")[0]
    check("image", (image.width, image.height, image.step) == (4, 3, 8) and image.encoded_image_string.startswith(b"\x89PNG"))
    try:
        import tensorboard_data_server

        binary = tensorboard_data_server.server_binary()
    except ImportError:
        binary = None
    if binary is None:
        print(json.dumps({"check": "tensorboard: data server", "skipped": "tensorboard_data_server is not installed for this machine"}))
    else:
        over_http(folder, wanted)

for argument in sys.argv[1:]:
    events = EventAccumulator(argument)
    events.Reload()
    points = events.Scalars("train/loss")
    steps = [point.step for point in points]
    check(f"{argument}: {len(points)} losses, rising steps", len(points) > 0 and steps == sorted(set(steps)) and all(math.isfinite(point.value) for point in points))

sys.exit(1 if failed else 0)
