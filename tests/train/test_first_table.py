"""Models are trained and scored by the first table of docs/dependencies.md, and by no more."""

import pickle
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

REPO = Path(__file__).parents[2]

#: Trains and scores in a process that finds none of the given modules.
WORK = """
import pickle, sys
arguments, folder, hidden = pickle.load(sys.stdin.buffer)
sys.modules.update(dict.fromkeys(hidden))
from semtok.bench.scoring import score
from semtok.data.index import SIBLINGS, TRUTH, Annotations
from semtok.train.train import train

training = folder / "vit" / "seed-0"
training.mkdir(parents=True)
train(**arguments, staging=training, resume=folder / "resume")
nothing = (each.columns.empty_table() for each in (TRUTH, SIBLINGS))
annotations = Annotations(arguments["captions"], *nothing)
shards = {"val": arguments["val_shards"]}
print(score(folder / "vit", shards, annotations, ["retrieval", "siblings"], folder).num_rows)
"""


def test_training_and_scoring_need_no_package_of_an_extra(arguments, tmp_path):
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    extras = {each for some in project["optional-dependencies"].values() for each in some}
    found = packages_distributions().items()
    hidden = [module for module, names in found if extras & set(names)]
    assert {"cv2", "polars", "mlflow", "dagster"} <= set(hidden)
    command = [sys.executable, "-c", WORK]
    work = pickle.dumps((arguments("semantic"), tmp_path, hidden))
    done = subprocess.run(command, input=work, stdout=subprocess.PIPE, check=True)
    assert int(done.stdout) > 0
