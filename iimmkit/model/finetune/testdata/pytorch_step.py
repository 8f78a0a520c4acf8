"""Steps a second of full fine-tuning of a CLIP of random weights with PyTorch on this CPU.

Arguments: micro|ViT-B-32 BATCH CLASSES. Needs torch and open_clip. Nothing is downloaded.
A step: captions of all classes and a batch of images encoded, cross-entropy of the
scaled cosines, gradients, clipping to length 1, AdamW.
"""

import os
import sys
import time

import torch

os.environ["HF_HUB_OFFLINE"] = "1"
import open_clip

MICRO = dict(
    embed_dim=64,
    vision_cfg=dict(image_size=32, patch_size=8, width=96, layers=4, head_width=24, mlp_ratio=4),
    text_cfg=dict(context_length=24, vocab_size=1000, width=64, heads=4, layers=2),
)


def main():
    name, batch, classes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count())
    if name == "micro":
        model, size, context, vocabulary = open_clip.model.CLIP(**MICRO, quick_gelu=True), 32, 24, 1000
    else:
        model, size, context, vocabulary = open_clip.create_model(name, pretrained=None, force_quick_gelu=True), 224, 77, 49408
    model.train()
    for p in model.parameters():
        p.requires_grad_(True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    images, labels = torch.randn(batch, 3, size, size), torch.arange(batch) % classes
    texts = torch.randint(0, vocabulary, (classes, context))

    def step():
        x, t = model.encode_image(images, normalize=True), model.encode_text(texts, normalize=True)
        loss = torch.nn.functional.cross_entropy(model.logit_scale.exp() * x @ t.T, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    step()
    count, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < 6:
        step()
        count += 1
    print(count / seconds)


main()
