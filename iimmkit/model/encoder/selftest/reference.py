"""Embeds the inputs of a self-test with the reference implementation.

    iimm models check MODEL --inputs inputs.json
    python reference.py inputs.json vectors.json
    iimm models check MODEL --reference vectors.json

Hugging Face's layout (config.json) is run by transformers, open_clip's
(open_clip_config.json) by open_clip; both need torch. Pictures are resized and
cropped by Pillow as the library's transform does, captions are cut and filled up
by the library tokenizers from the checkpoint's own tokenizer.json. Nothing is
downloaded, and nothing of iimm takes part.
"""

import base64
import hashlib
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import tokenizers
import torch
from PIL import Image, __version__ as pillow_version

# open_clip takes these where the configuration names none.
OPENAI_MEAN, OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def square(image, size, squash, middle):
    """Bicubic to size x size: squashed, or the shortest side and a centre crop,
    which begins at middle(margin)."""
    if squash:
        return image.resize((size, size), Image.BICUBIC)
    w, h = image.size
    w, h = (size, int(size * h / w)) if w <= h else (int(size * w / h), size)
    image = image.resize((w, h), Image.BICUBIC)
    left, top = middle(w - size), middle(h - size)
    return image.crop((left, top, left + size, top + size))


def torchvision_middle(margin):
    return int(round(margin / 2))  # half to even


def transformers_middle(margin):
    return margin // 2


def pixels(images, size, squash, mean, std, middle):
    x = np.stack([np.asarray(square(i, size, squash, middle), np.float32) / 255 for i in images])
    x = (x - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return torch.from_numpy(x.transpose(0, 3, 1, 2).copy())


def token_ids(folder, prompts, context, pad):
    """Rows of context ids; a longer caption is cut before its end token."""
    t = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    t.enable_truncation(context)
    t.enable_padding(length=context, pad_id=pad)
    return torch.tensor([e.ids for e in t.encode_batch(prompts)])


def read(folder, name):
    with open(os.path.join(folder, name)) as f:
        return json.load(f)


def tensor(output):
    """transformers 5 wraps features."""
    return output if isinstance(output, torch.Tensor) else output.pooler_output


def with_transformers(folder, images, prompts):
    import transformers

    pre = read(folder, "preprocessor_config.json")
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    size = model.config.vision_config.image_size
    squash = not pre.get("do_center_crop", False) and "shortest_edge" not in (pre["size"] if isinstance(pre["size"], dict) else {})
    x = pixels(images, size, squash, pre["image_mean"], pre["image_std"], transformers_middle)
    text = model.config.text_config
    pad = text.pad_token_id if model.config.model_type.startswith("siglip") else 0
    ids = token_ids(folder, prompts, text.max_position_embeddings, pad)
    return tensor(model.get_image_features(pixel_values=x)), tensor(model.get_text_features(input_ids=ids)), f"transformers {transformers.__version__}"


def with_open_clip(folder, images, prompts):
    import open_clip

    config = read(folder, "open_clip_config.json")
    cfg, pre = config["model_cfg"], config.get("preprocess_cfg", {})
    weights = next(n for n in ("open_clip_model.safetensors", "open_clip_pytorch_model.bin", "model.safetensors") if os.path.exists(os.path.join(folder, n)))
    sizes = cfg["vision_cfg"].pop("timm_model_kwargs", None)
    if sizes:  # of a tower that timm has no name for: open_clip does not hand them on
        import timm

        create = timm.create_model
        timm.create_model = lambda name, **kwargs: create(name, **{**kwargs, **sizes})
    name = "self-test"
    open_clip.factory._MODEL_CONFIGS[name] = cfg
    model = open_clip.create_model(name, pretrained=os.path.join(folder, weights), precision="fp32", load_weights=True).eval()
    size = model.visual.image_size
    size = size[0] if isinstance(size, (tuple, list)) else size
    x = pixels(images, size, pre.get("resize_mode") == "squash", pre.get("mean", OPENAI_MEAN), pre.get("std", OPENAI_STD), torchvision_middle)
    text = cfg["text_cfg"]
    context = text.get("context_length", 77)
    siglip = cfg.get("init_logit_bias") is not None
    if os.path.exists(os.path.join(folder, "tokenizer.json")):
        ids = token_ids(folder, prompts, context, 1 if siglip else 0)
    else:
        ids = open_clip.SimpleTokenizer(context_length=context)(prompts)
    return model.encode_image(x), model.encode_text(ids), f"open_clip {open_clip.__version__}"


def unit(x):
    x = x.double()
    return [[float(np.float32(v)) for v in row] for row in x / x.norm(dim=1, keepdim=True)]


def shortest(v):
    """float32 in as few digits as give it back."""
    return np.format_float_positional(np.float32(v), unique=True, trim="-")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1]) as f:
        inputs = json.load(f)
    folder = inputs["dir"]
    for name, want in inputs["files"].items():
        with open(os.path.join(folder, name), "rb") as f:
            got = hashlib.sha256(f.read()).hexdigest()
        if got != want:
            sys.exit(f"{name} in {folder} is not the file that inputs.json was made for")
    images = [Image.frombytes("RGB", (p["width"], p["height"]), base64.b64decode(p["rgb"])) for p in inputs["pictures"]]
    run = with_open_clip if "open_clip_config.json" in inputs["files"] else with_transformers
    with torch.no_grad():
        x, t, library = run(folder, images, inputs["prompts"])
    head = {
        "schema": 1,
        "source": f"{library}, torch {torch.__version__}, tokenizers {tokenizers.__version__}, Pillow {pillow_version}",
        "reference": True,
        "files": inputs["files"],
        "inputs": inputs["inputs"],
    }
    text = json.dumps(head, indent=1)[:-2]
    for key, rows in ("images", unit(x)), ("texts", unit(t)):
        lines = ",\n".join("  [" + ",".join(shortest(v) for v in row) + "]" for row in rows)
        text += f',\n "{key}": [\n{lines}\n ]'
    with open(sys.argv[2], "w") as f:
        f.write(text + "\n}\n")


main()
