# Writes a webdataset with the webdataset package in CLIP_benchmark's layout.
import webdataset as wds, io, os, sys
from PIL import Image
import numpy as np
root=sys.argv[1]
names=["hard-leaved orchid","crane","crane"]
for split,n,per in (("train",5,2),("test",2,2)):
    d=os.path.join(root,split); os.makedirs(d,exist_ok=True)
    k=0
    with wds.ShardWriter("file:"+os.path.join(d,"%d.tar"),maxcount=per,verbose=0) as sink:
        for i in range(n):
            b=io.BytesIO(); Image.fromarray(((np.arange(48).reshape(4,4,3)*(i+3+ (split=="test")*20))%256).astype(np.uint8)).save(b,"PNG")
            sink.write({"__key__":"s%07d"%i,"png":b.getvalue(),"cls":i%3})
        k=sink.shard
    open(os.path.join(d,"nshards.txt"),"w").write(str(k))
open(os.path.join(root,"classnames.txt"),"w").write("\n".join(names)+"\n")
open(os.path.join(root,"zeroshot_classification_templates.txt"),"w").write("a photo of a {c}.\nart of the {c}.\n")
open(os.path.join(root,"dataset_type.txt"),"w").write("classification")
