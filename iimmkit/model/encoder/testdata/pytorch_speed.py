"""Images or captions a second that open_clip's ViT-B-32, of random weights, embeds with PyTorch on this CPU.

Arguments: images|texts BATCH. Needs torch and open_clip. Nothing is downloaded.
"""

import os
import sys
import time

import torch

os.environ["HF_HUB_OFFLINE"] = "1"
import open_clip


def main():
    tower, batch = sys.argv[1], int(sys.argv[2])
    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count())
    model = open_clip.create_model("ViT-B-32", pretrained=None, force_quick_gelu=True).eval()
    images, texts = torch.randn(batch, 3, 224, 224), torch.randint(0, 49408, (batch, 77))
    embed = (lambda: model.encode_image(images)) if tower == "images" else (lambda: model.encode_text(texts))
    with torch.inference_mode():
        embed()
        count, start = 0, time.perf_counter()
        while (seconds := time.perf_counter() - start) < 5:
            embed()
            count += batch
    print(count / seconds)


main()
