"""Writes the files of this folder: python make.py, with pyarrow and numpy installed.

mid*.parquet hold the golden set mid (see package measure/golden) in the types
and layouts that parquet files of embeddings have; the others are no sets.
"""
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

here = pathlib.Path(__file__).parent
N, D, C = 120, 80, 6
i, j, c = np.arange(1, N + 1)[:, None], np.arange(1, D + 1)[None, :], np.arange(1, C + 1)[:, None]
f = np.arange(1, N + 1) * 0.6180339887498949
y = (C * (f - np.floor(f)) ** 1.5).astype(np.int64)
images = 0.35 * np.cos(0.37 * j * (y[:, None] + 1)) + np.sin(0.7 * i + 1.3 * j + 0.11 * i * j)
images /= np.linalg.norm(images, axis=1, keepdims=True)
texts = np.cos(0.37 * j * c) + 0.5 * np.sin(2.1 * c * j)
texts /= np.linalg.norm(texts, axis=1, keepdims=True)


def write(name, columns, metadata=None, **options):
    table = pa.table(columns)
    if metadata:
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, here / (name + ".parquet"), **options)


def fixed(x):
    return pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), x.shape[1])


# As Hugging Face writes Sequence(float64, length=80) and ClassLabel.
features = {
    "id": {"dtype": "string", "_type": "Value"},
    "embedding": {"feature": {"dtype": "float64", "_type": "Value"}, "length": D, "_type": "Sequence"},
    "label": {"names": [f"wave {k}" for k in range(C)], "_type": "ClassLabel"},
}
write("mid", {"id": [f"waves/{k}.png" for k in range(N)], "embedding": fixed(images), "label": y},
      {"huggingface": json.dumps({"info": {"features": features}})}, compression="snappy")
order = np.array([3, 0, 5, 1, 4, 2])
write("mid.texts", {"embedding": list(texts[order]), "label": order.astype(np.int32),
                    "class_name": [f"wave {k}" for k in order], "prompt": [f"a photo of wave {k}" for k in order]})
# Lists of single precision in several row groups, without dictionary, in pages of the second version.
write("single", {"x": list(images.astype(np.float32)), "label": y.astype(np.int32)},
      row_group_size=50, use_dictionary=False, data_page_version="2.0", compression="zstd", write_page_checksum=True)
write("single.texts", {"x": list(texts.astype(np.float32))}, compression="none")
# Half precision, many small pages.
write("half", {"x": fixed(images.astype(np.float16)), "target": y.astype(np.uint8)}, data_page_size=999, compression="gzip")
write("half.texts", {"x": fixed(texts.astype(np.float16))})
# More rows than are read at once, in row groups, and vectors that end within neither.
many = np.arange(400_000)
write("many", {"x": fixed(np.array([0.6, 0.8, 0], np.float32)[(many[:, None] + np.arange(3)) % 3]), "label": (many % 5).astype(np.int32)},
      row_group_size=70_001, compression="zstd", compression_level=19)

two, labels = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], [0, 1, 1]
write("gap", {"x": [two[0], [None, 1.0], two[2]], "label": labels})
write("null", {"x": [two[0], None, two[2]], "label": labels})
write("none", {"x": [two[0], [], two[2]], "label": labels})
write("ragged", {"x": [two[0], two[1], [1.0, 0.0, 0.0]], "label": labels})
write("unlabelled", {"x": two})
write("unknown", {"x": two, "label": [0, None, 1]})
write("words", {"x": two, "label": ["cat", "dog", "dog"]})
write("several", {"x": two, "y": two, "label": labels})
write("flat", {"x": [1.0, 2.0, 3.0], "label": labels})
write("empty", {"x": pa.array([], pa.list_(pa.float32())), "label": pa.array([], pa.int64())})
write("twice.texts", {"x": two, "label": [0, 1, 1]})
write("two.texts", {"x": two[:2]})
