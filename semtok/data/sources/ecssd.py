"""ECSSD: 1,000 images with a mask of what is salient."""

from semtok.data.download.catalogue import File, Source

_HOST = "https://www.cse.cuhk.edu.hk/leojia/projects/hsaliency"

SOURCE = Source(
    home=f"{_HOST}/dataset.html",
    licence="research alone",
    files=tuple(
        File(
            f"{_HOST}/data/ECSSD/{folder}.zip",
            "ecssd",
            archive=f"{folder}.zip",
            holds={f"ecssd/{folder}/*.{kind}": 1_000},
        )
        for folder, kind in (("images", "jpg"), ("ground_truth_mask", "png"))
    ),
)
