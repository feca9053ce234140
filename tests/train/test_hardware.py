"""The processor by its name."""

import platform

import torch

from semtok.train import hardware


def test_the_processor_has_a_name_on_every_system(tmp_path, monkeypatch):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: Some CPU\n")
    assert hardware._model_name(info) == "Some CPU @ 2 GHz"
    assert hardware._model_name(tmp_path / "missing") == ""
    monkeypatch.setattr(hardware, "_model_name", lambda path: "")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert hardware.name(torch.device("cpu")) == platform.machine()
