import pytest

from semtok.events import Message, Metrics, Progress
from semtok.tracking import live, runs, server
from semtok.tracking.live import LiveRun


def losses(first: int, last: int) -> list[Metrics]:
    return [
        Metrics(step, {"loss": 1 / step, "system/memory": 2.0}) for step in range(first, last + 1)
    ]


def refuse(event) -> None:
    pytest.fail(f"nothing to complain about: {event}")


def history(address: str, run_id: str, name: str = "loss") -> list[tuple[int, float]]:
    found = server.client(address).get_metric_history(run_id, name)
    return sorted((each.step, each.value) for each in found)


def find(address: str, of) -> list:
    return list(runs.find_runs(server.client(address), of, "training", of.fingerprint))


def assert_one_warning(heard: list, address: str) -> None:
    warnings = [each.text for each in heard if isinstance(each, Message)]
    assert len(warnings) == 1
    assert address in warnings[0]
    assert "semtok sync" in warnings[0]


def test_training_goes_on_without_a_server(free_address, training):
    heard = []
    with LiveRun(training(), heard.append, free_address) as listen:
        for event in losses(1, 3):
            listen(event)
    assert_one_warning(heard, free_address)


def test_training_goes_on_while_the_server_hangs(loopback, training, impatient, monkeypatch):
    monkeypatch.setattr(live, "PATIENCE", 0.1)
    heard = []
    hanging = loopback.start(loopback.healthy_but(loopback.hang))
    with LiveRun(training(), heard.append, hanging.address) as listen:
        listen(losses(1, 1)[0])
        hanging.hanging.wait()
        for event in losses(2, 100):
            listen(event)
        assert not heard
    # The request was still unanswered when all steps were done, so none waited for it.
    assert not hanging.release.is_set()
    assert_one_warning(heard, hanging.address)


def test_training_goes_on_when_the_server_answers_with_errors(loopback, training, impatient):
    heard = []
    broken = loopback.start(loopback.healthy_but(loopback.fail))
    with LiveRun(training(), heard.append, broken.address) as listen:
        for event in losses(1, 3):
            listen(event)
    assert_one_warning(heard, broken.address)


def test_a_listener_among_its_own_listeners_does_not_recurse(free_address, training):
    heard = []

    def tell_all(event):
        heard.append(event)
        listen(event)

    listen = LiveRun(training(), tell_all, free_address)
    with listen:
        tell_all(Progress("training", 1, 2))
    assert_one_warning(heard, free_address)


@pytest.mark.slow
class TestWithServer:
    def test_logs_values_parameters_and_tags(self, mlflow_server, training):
        of = training(seed=11)
        with LiveRun(of, refuse, mlflow_server) as listen:
            for event in losses(1, 4):
                listen(event)
        (run,) = find(mlflow_server, of)
        assert run.info.status == "FINISHED"
        assert run.info.run_name == "vit seed 11"
        assert history(mlflow_server, run.info.run_id) == [(s, 1 / s) for s in range(1, 5)]
        assert len(history(mlflow_server, run.info.run_id, "system/memory")) == 4
        assert run.data.params["train.steps"] == "4"
        assert "train.seeds" not in run.data.params  # there may be more of them one day
        assert run.data.params["variant.patch_size"] == "16"
        tags = {
            "variant": "vit",
            "seed": "11",
            "dirty": "true",
            "mlflow.source.git.commit": "c0ffee",
        }
        assert tags.items() <= run.data.tags.items()
        assert "checkpoint_hash" not in run.data.tags

    def test_a_killed_training_continues_its_run(self, mlflow_server, training):
        of = training(seed=12)
        with pytest.raises(KeyboardInterrupt), LiveRun(of, refuse, mlflow_server) as listen:
            for event in losses(1, 4):
                listen(event)
            raise KeyboardInterrupt
        assert find(mlflow_server, of)[0].info.status == "KILLED"
        with LiveRun(of, refuse, mlflow_server) as listen:
            for event in losses(3, 6):  # from the last saved state
                listen(event)
        (run,) = find(mlflow_server, of)
        assert run.info.status == "FINISHED"
        assert history(mlflow_server, run.info.run_id) == [(s, 1 / s) for s in range(1, 7)]

    def test_a_training_that_starts_over_gets_a_new_run(self, mlflow_server, training):
        of = training(seed=16)
        for _ in range(2):
            with LiveRun(of, refuse, mlflow_server) as listen:
                for event in losses(1, 3):
                    listen(event)
        assert len(find(mlflow_server, of)) == 2

    def test_a_failed_training_is_marked_so(self, mlflow_server, training):
        of = training(seed=13)
        with pytest.raises(ZeroDivisionError), LiveRun(of, refuse, mlflow_server):
            _ = 1 / 0
        assert find(mlflow_server, of)[0].info.status == "FAILED"

    def test_another_training_gets_another_run(self, mlflow_server, training):
        one, other = training(seed=14), training(seed=14, premises="q")
        for of in (one, other):
            with LiveRun(of, refuse, mlflow_server):
                pass
        assert find(mlflow_server, one)[0].info.run_id != find(mlflow_server, other)[0].info.run_id

    def test_training_goes_on_when_the_server_dies_in_the_middle(
        self, mlflow_server, loopback, training, impatient
    ):
        heard = []
        of = training(seed=15)
        # The parameters and one batch of values get through.
        dying = loopback.start(loopback.dies(mlflow_server, "runs/log-batch", 2))
        with LiveRun(of, heard.append, dying.address) as listen:
            step = 0
            while not dying.hanging.wait(0.01):
                step += 1
                listen(Metrics(step, {"loss": 1.0}))
            for event in losses(step + 1, step + 50):
                listen(event)
        assert_one_warning(heard, dying.address)
        (run,) = find(mlflow_server, of)
        assert run.info.status == "RUNNING"
