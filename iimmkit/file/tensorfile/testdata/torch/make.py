"""Writes the files of this folder: python make.py, with torch installed."""
import collections
import pathlib

import torch

here = pathlib.Path(__file__).parent


def count(*shape, dtype=torch.float32):
    """0, 1, 2, ... in the order of the indices."""
    n = int(torch.tensor(shape).prod())
    return torch.arange(n).to(dtype).reshape(shape)


# A module's own state dict: an OrderedDict with attributes, as most files have.
layer = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
with torch.no_grad():
    layer[0].weight.copy_(count(2, 3))
    layer[0].bias.copy_(count(2))
torch.save(layer.state_dict(), here / "module.pt")

# Views: transposed, sliced, expanded parts of storages, some of them shared.
base = count(4, 6)
columns = torch.empty(6, 4)
columns.t().copy_(base)
wide = torch.zeros(3, 8, 5)
wide[1:, 2:8:2, 1:4] = count(2, 3, 3)
torch.save(
    {
        "base": base,
        "rows": base[2:],
        "transposed": columns.t(),
        "strided": wide[1:, 2:8:2, 1:4],
        "permuted": count(2, 3, 4).permute(2, 0, 1),
        "expanded": torch.tensor([7.0]).expand(2, 3),
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 3),
    },
    here / "views.pt",
)

# Every element type; a parameter.
types = {
    str(d).removeprefix("torch."): count(2, 2, dtype=d)
    for d in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
}
types["parameter"] = torch.nn.Parameter(count(3))
torch.save(types, here / "types.pt")

# A training checkpoint of a model run in parallel.
weights = collections.OrderedDict((f"module.{k}", v) for k, v in layer.state_dict().items())
optimizer = torch.optim.AdamW(layer.parameters(), lr=0.0)
layer(torch.ones(1, 3)).sum().backward()
optimizer.step()
torch.save({"epoch": 3, "name": "run", "seed": 2**80, "loss": 0.5, "state_dict": weights, "optimizer": optimizer.state_dict()}, here / "training.pt")

# Refused: TorchScript, a whole model, the old format.
torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), here / "script.pt")
torch.save(torch.nn.Linear(1, 1), here / "model.pt")
torch.save({"t": count(2)}, here / "legacy.pt", _use_new_zipfile_serialization=False)
