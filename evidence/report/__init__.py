"""The report of a checkpoint on one HTML page, see `write.write_report`.

`ranking`, `figures`: curves and metrics with intervals. `pictures`, `lesions`: where the network looks. `plots`: the diagrams.
`page`: the HTML. Training and prediction do not import this package.
"""
