"""What a network learned, as one page: `write.write_report` puts it together.

`ranking` and `figures` work out curves and shares with intervals, `pictures` and `lesions` look where the network looks, `plots` draws,
`page` is the HTML. Nothing here is imported for training or predicting.
"""
