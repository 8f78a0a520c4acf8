"""Images a second that Pillow and numpy preprocess as open_clip does. Arguments: FILE SIZE."""

import io
import sys
import time

import numpy as np
from PIL import Image

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def pixels(data, size):
    image = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = image.size
    scale = size / min(width, height)
    image = image.resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    return ((np.asarray(image, np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1)


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    size = int(sys.argv[2])
    count, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < 2:
        pixels(data, size)
        count += 1
    print(count / seconds)


main()
