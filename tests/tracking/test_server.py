import os
import subprocess
import sys

import pytest

from semtok.errors import SemtokError
from semtok.tracking import server


def test_address_is_the_environments_or_that_of_make_up(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert server.address() == "http://127.0.0.1:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:80/")
    assert server.address() == "http://tracking.example:80"


def test_nobody_listening_does_not_answer(free_address):
    assert not server.answers(free_address)


def test_a_server_that_hangs_does_not_answer(loopback):
    hanging = loopback.start(loopback.hang)
    assert not server.answers(hanging.address, timeout=0.2)
    assert hanging.hanging.is_set()


def test_a_server_that_fails_does_not_answer(loopback):
    assert not server.answers(loopback.start(loopback.fail).address)


def test_a_well_server_answers(loopback):
    assert server.answers(loopback.start(loopback.healthy_but(loopback.fail)).address)


def test_a_database_needs_no_server():
    assert server.answers("sqlite:///mlflow.db")


@pytest.mark.parametrize("address", ["localhost:5000", "127.0.0.1:5000", "ftp://x", "mlflow"])
def test_what_is_no_address_is_named(address):
    with pytest.raises(SemtokError, match=r"MLFLOW_TRACKING_URI.*starts with http://"):
        server.client(address)


def test_no_client_without_a_server_and_the_error_says_how_to_start_it(free_address):
    with pytest.raises(SemtokError, match=f"{free_address}.*make up.*MLFLOW_TRACKING_URI"):
        server.client(free_address)


def test_what_mlflow_raises_becomes_one_line(loopback, impatient):
    address = loopback.start(loopback.healthy_but(loopback.fail)).address
    with (
        pytest.raises(SemtokError, match=f"^{address}: .*500.*semtok sync") as caught,
        server.talking_to(address),
    ):
        server.client(address).get_experiment_by_name("semtok-scenes")
    assert "\n" not in str(caught.value)


def test_probing_does_not_import_mlflow():
    code = (
        "import sys; from semtok.tracking import server, live, lineage, runs, training; "
        "server.answers('http://127.0.0.1:9'); sys.exit('mlflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})
