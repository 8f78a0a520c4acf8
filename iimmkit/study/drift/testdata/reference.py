"""The statistics of images 0..69 of the golden set mid against 70..119, by numpy and
scipy alone. Run it and put what it prints into reference_test.go."""
import numpy as np
from scipy.spatial.distance import cdist, pdist

N, D, C, SCALE, CUT = 120, 80, 6, 10.0, 70
i, j = np.arange(1, N + 1)[:, None], np.arange(1, D + 1)[None, :]
y = np.floor(6 * ((i[:, 0] * 0.6180339887498949) % 1) ** 1.5).astype(int)
x = .35 * np.cos(.37 * j * (y[:, None] + 1)) + np.sin(.7 * i + 1.3 * j + .11 * i * j)
c = np.arange(1, C + 1)[:, None]
t = np.cos(.37 * j * c) + .5 * np.sin(2.1 * c * j)
x /= np.linalg.norm(x, axis=1, keepdims=True)
t /= np.linalg.norm(t, axis=1, keepdims=True)

d = np.sort(pdist(x))
sigma = d[(len(d) - 1) // 2]
r, b = x[:CUT], x[CUT:]
k = lambda a, e: np.exp(-cdist(a, e, "sqeuclidean") / (2 * sigma ** 2))
off = lambda m: (m.sum() - np.trace(m)) / (len(m) * (len(m) - 1))
mmd = off(k(b, b)) + off(k(r, r)) - 2 * k(b, r).mean()
logits = x @ t.T
p = np.exp(SCALE * logits)
p /= p.sum(1, keepdims=True)
matched, confidence = logits.max(1), p.max(1)

rows = [("centroid", ((b.mean(0) - r.mean(0)) ** 2).sum(), 0, 0), ("mmd", mmd, 0, 0)]
ri, bi = off(r @ r.T), off(b @ b.T)
rows.append(("intra", abs(bi - ri), ri, bi))
rm, bm = matched[:CUT].mean(), matched[CUT:].mean()
rows.append(("matched", abs(bm - rm), rm, bm))
rc, bc = confidence[:CUT].mean(), confidence[CUT:].mean()
rows.append(("confidence", rc - bc, rc, bc))
for name, s, rv, bv in rows:
    print(f'\t{{"{name}", {float(s)!r}, {float(rv)!r}, {float(bv)!r}}},')
print("const referenceBandwidth =", repr(float(sigma)))
