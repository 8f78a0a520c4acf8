# Writes parquet files as Hugging Face's datasets library does, and two plain ones.
# Image i of a split: 5 x 4 pixels, byte j is j*(i+3) (train) or j*(i+23) (test).
import io, os, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from PIL import Image
from datasets import Dataset, Features, Image as HFImage, ClassLabel, Value
root = sys.argv[1]; os.makedirs(root+"/data", exist_ok=True)
def png(i):
    b = io.BytesIO(); Image.fromarray(((np.arange(60).reshape(4,5,3)*i)%256).astype(np.uint8)).save(b, "PNG"); return b.getvalue()
names = ["hard-leaved orchid", "crane", "t-shirt"]
features = Features({"image": HFImage(), "part": Value("string"), "label": ClassLabel(names=names)})
def ds(n, shift, base=0):
    return Dataset.from_dict({"image": [{"bytes": png(i+shift), "path": f"{i}.png"} for i in range(base, base+n)], "part": [f"p{i//2}" for i in range(base, base+n)], "label": [i%3 for i in range(base, base+n)]}, features=features)
ds(5,3).to_parquet(root+"/data/train-00000-of-00002.parquet", batch_size=2)
ds(2,3,5).to_parquet(root+"/data/train-00001-of-00002.parquet", batch_size=2)
ds(3,23).to_parquet(root+"/data/test-00000-of-00001.parquet", batch_size=2)
t = pa.table({"img": pa.array([png(i+3) for i in range(5)], pa.binary()), "class": pa.array(["dog","cat",None,"cat","dog"])})
pq.write_table(t, root+"/plain.parquet", row_group_size=3, compression="zstd")
t = pa.table({"image": pa.array([{"bytes": png(3), "path": None}, {"bytes": None, "path": "gone.png"}, None, {"bytes": b"no picture", "path": "x"}, {"bytes": png(7), "path": "y"}], pa.struct([("bytes", pa.binary()), ("path", pa.string())])), "label": pa.array([0,1,1,2,-1], pa.int32())})
pq.write_table(t, root+"/gaps.parquet", compression="gzip", data_page_version="2.0", use_dictionary=False)
