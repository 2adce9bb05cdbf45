"""Arrow files to and from pyarrow.

    python bench/interop/checkArrow.py write DIR    writes files that maskflow reads
    python bench/interop/checkArrow.py check FILE   reads a file that maskflow wrote, tensors as numpy arrays

Needs pyarrow >= 15 and numpy (in an environment outside of the repository). Both sides agree on the contents by the
formulas below; `check` exits with 1 and says what differs. tests/sinks/arrowInterop.test.ts runs both.
"""
import json
import pathlib
import sys

import numpy as np
import pyarrow as pa

ROWS = 10


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    tensor = np.arange(ROWS * 6, dtype=np.float32).reshape(ROWS, 2, 3)
    plain = pa.FixedShapeTensorArray.from_numpy_ndarray(tensor)
    # Stored [2, 3], read as [3, 2]: the axes of a row are swapped in memory.
    turned_type = pa.fixed_shape_tensor(pa.float32(), [2, 3], permutation=[1, 0])
    turned = pa.ExtensionArray.from_storage(turned_type, pa.FixedSizeListArray.from_arrays(pa.array(tensor.reshape(-1)), 6))
    table = pa.table(
        {
            "tokens": plain,
            "turned": turned,
            "mask": pa.FixedShapeTensorArray.from_numpy_ndarray((np.arange(ROWS * 4) % 3 == 0).astype(np.uint8).reshape(ROWS, 4)),
            "label": pa.array(range(ROWS), pa.int64()),
            "text": pa.array([f"row {i} é" for i in range(ROWS)], pa.large_string()),
            "view": pa.array([f"a string view of row {i}" if i % 2 else "short" for i in range(ROWS)], pa.string_view()),
            "half": pa.array(np.arange(ROWS, dtype=np.float16) / 4),
            "bytes": pa.array([bytes([i, i + 1]) for i in range(ROWS)], pa.binary()),
            "class": pa.array(["even" if i % 2 == 0 else "odd" for i in range(ROWS)]).dictionary_encode(),
            "words": pa.array([[f"w{j}" for j in range(i % 3)] for i in range(ROWS)], pa.list_(pa.string())),
            "image": pa.array([{"bytes": bytes([i]), "path": None} for i in range(ROWS)], pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        }
    )
    with pa.ipc.new_file(folder / "tensors.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    with pa.ipc.new_stream(folder / "tensors.arrows", table.schema) as writer:
        writer.write_table(table.slice(1), max_chunksize=4)
    runs = pa.table({"runs": pa.RunEndEncodedArray.from_arrays([2, ROWS], ["a", "b"])})
    with pa.ipc.new_file(folder / "runs.arrow", runs.schema) as writer:
        writer.write_table(runs)
    for codec in ("lz4", "zstd"):
        with pa.ipc.new_file(folder / f"{codec}.arrow", table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
            writer.write_table(table)


def check(path):
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    table = table.combine_chunks()
    rows = table.num_rows
    for name, dtype, shape in (("tokens", np.float32, (4, 3)), ("mask", np.uint8, (2, 2)), ("ids", np.int32, (5,))):
        column = table.column(name).chunk(0)
        assert isinstance(column.type, pa.FixedShapeTensorType), f"{name} is {column.type}"
        array = column.to_numpy_ndarray()
        expected = np.arange(rows * int(np.prod(shape)), dtype=np.int64).reshape(rows, *shape)
        expected = (expected % 2 if name == "mask" else expected).astype(dtype)
        assert array.dtype == dtype and array.shape == expected.shape, f"{name}: {array.dtype} {array.shape}"
        assert np.array_equal(array, expected), f"{name} differs"
    assert table.column("label").type == pa.int32() and table.column("label").to_pylist() == list(range(rows))
    assert table.column("text").to_pylist() == [f"row {i} é" for i in range(rows)]
    assert table.column("bytes").to_pylist() == [bytes([i % 256]) for i in range(rows)]
    assert table.column("words").to_pylist() == [[f"w{j}" for j in range(i % 3)] for i in range(rows)]
    assert table.column("big").to_pylist() == [2**60 + i for i in range(rows)]
    assert [origin["id"] for origin in table.column("origin").to_pylist()] == list(range(rows))
    assert json.loads(table.schema.metadata[b"maskflow.grid"]) == [2, 2]
    table.validate(full=True)
    print(json.dumps({"rows": rows, "columns": table.column_names, "pyarrow": pa.__version__}))


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("write", "check"):
        sys.exit(__doc__)
    {"write": write, "check": check}[sys.argv[1]](pathlib.Path(sys.argv[2]))
