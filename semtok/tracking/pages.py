"""A comparison's page in MLflow: where people look who look at the champion."""

from pathlib import Path

from semtok.errors import SemtokError
from semtok.tracking import registry, server
from semtok.tracking.training import VARIANT

#: Folder of a run's artifacts.
_FOLDER = "comparison"


def publish(data: str, page: Path, baseline: str, address: str | None = None) -> str:
    """Store a page with the champion's run; without a champion, with the baseline's newest.

    A page of the same name takes the place of the older one.

    Args:
        data: name of the data set.
        page: the HTML file.
        baseline: the variant that stands in for the champion.
        address: of the tracking server; default: `server.address()`.

    Returns:
        Where MLflow shows it.

    Raises:
        SemtokError: the server does not answer, or has no version to store it with.
    """
    address = address or server.address()
    client = server.client(address)
    with server.talking_to(address):
        found = registry.champion(client, data)
        of_baseline = [] if found else registry.versions(client, data, {VARIANT: baseline})
        for version in [found] if found else of_baseline:
            run = client.get_run(str(version.run_id)).info
            client.log_artifact(run.run_id, str(page), _FOLDER)
            where = f"{address}/#/experiments/{run.experiment_id}/runs/{run.run_id}"
            return f"{where}/artifacts/{_FOLDER}/{page.name}"
    raise SemtokError(
        f"{address}: {registry.model_name(data)} has neither a champion nor a version of "
        f"{baseline}; run `semtok sync`"
    )
