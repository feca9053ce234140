"""Where data come from: one file a source, and in it a table of files.

`download/catalogue.py` says what such a file holds. A source whose images are COCO's may also have
`coco_ids(root)`, which tells their ids: `leakage.py` counts them in Karpathy's splits.
"""
