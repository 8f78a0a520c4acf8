# Writes MATLAB files of level 5 with SciPy: pixels as SVHN has them, annotations as Stanford Cars does.
import sys, numpy as np, scipy.io as sio
root = sys.argv[1]
n = 3
x = np.zeros((32, 32, 3, n), np.uint8)
for i in range(n):
    for c in range(3):
        for r in range(32):
            x[r, :, c, i] = (r * 5 + np.arange(32) * 3 + c * 70 + i * 11) % 256
y = np.array([[1], [10], [3]], np.float64)
sio.savemat(root + "/svhn.mat", {"X": x, "y": y}, do_compression=True)
sio.savemat(root + "/svhn_plain.mat", {"X": x[:, :, :, :1], "y": np.array([[10]], np.uint8)})
dt = [("bbox_x1", "O"), ("class", "O"), ("fname", "O")]
a = np.array([(39, 2, "00001.jpg"), (30, 1, "00002.jpg")], dtype=dt).reshape(1, 2)
sio.savemat(root + "/annos.mat", {"annotations": a})
sio.savemat(root + "/meta.mat", {"class_names": np.array(["AM General Hummer SUV 2000", "Dodge Caf\u00e9/Van 2007"], dtype=object).reshape(1, 2)}, do_compression=True)
a = np.array([(39, 1 + i % 2, "%05d.jpg" % (i + 1)) for i in range(20)], dtype=dt).reshape(1, 20)
sio.savemat(root + "/cars.mat", {"annotations": a}, do_compression=True)
sio.savemat(root + "/svhn20.mat", {"X": np.zeros((32, 32, 3, 20), np.uint8), "y": (np.arange(20) % 2 * 9 + 1).reshape(20, 1).astype(np.uint8)}, do_compression=True)
