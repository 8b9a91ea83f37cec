"""The trainer of a speaker's voice: graphs by Visdom, and the names of a parallel session."""

import nsml
from nsml import GPU_NUM, MY_RANK, PARALLEL_PORTS, PARALLEL_WORLD, Visdom

vis = Visdom(visdom=None)
window = vis.line([0.0], opts={"title": "equal error rate"})
gpus = int(GPU_NUM)
workers = len(PARALLEL_WORLD)
if len(PARALLEL_WORLD) > 1:
    raise SystemExit(f"rank {MY_RANK} would meet the others at {PARALLEL_WORLD[0]}:{PARALLEL_PORTS[0]}")
print(f"{workers} machine of rank {MY_RANK}, {'no' if not gpus else 'some'} GPU")
for epoch in range(2):
    nsml.report(summary=True, scope=locals(), epoch=epoch, eer=0.5 / (epoch + 1), step=epoch)
    vis.line([0.5 / (epoch + 1)], win=window, update="append")
print("trained for", nsml.SESSION_NAME)
