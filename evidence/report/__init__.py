"""The report of a checkpoint on one page, which `write.write_report` writes.

`ranking`, `figures`: curves and metrics with intervals. `pictures`, `lesions`: where the network looks. `plots`: the diagrams.
`page`: the HTML. Training and prediction import nothing of this.
"""
