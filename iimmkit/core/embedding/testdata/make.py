"""Writes the files of this folder's torch/: python make.py, with torch and numpy installed.

They hold the golden set mid (see package measure/golden), in the layouts that
people keep embeddings in.
"""
import pathlib

import numpy as np
import torch

here = pathlib.Path(__file__).parent / "torch"
N, D, C = 120, 80, 6
i, j, c = np.arange(1, N + 1)[:, None], np.arange(1, D + 1)[None, :], np.arange(1, C + 1)[:, None]
f = np.arange(1, N + 1) * 0.6180339887498949
y = (C * (f - np.floor(f)) ** 1.5).astype(np.int64)
images = 0.35 * np.cos(0.37 * j * (y[:, None] + 1)) + np.sin(0.7 * i + 1.3 * j + 0.11 * i * j)
images /= np.linalg.norm(images, axis=1, keepdims=True)
texts = np.cos(0.37 * j * c) + 0.5 * np.sin(2.1 * c * j)
texts /= np.linalg.norm(texts, axis=1, keepdims=True)

parts = {"images": torch.from_numpy(images), "labels": torch.from_numpy(y), "texts": torch.from_numpy(texts)}
torch.save(parts, here / "mid.pt")
# As prompt learners cache features: transposed, in half precision, a file each.
half = here / "half"
half.mkdir(exist_ok=True)
torch.save(parts["images"].T.half().contiguous().T, half / "images.pt")
torch.save(parts["labels"].int(), half / "labels.pt")
torch.save(parts["texts"].half(), half / "texts.pt")
