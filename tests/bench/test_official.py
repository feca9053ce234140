"""Official files by the names of their images, where names have folders, dots and namesakes."""

import pytest

from semtok.bench import official
from semtok.bench.benchmark import SplitData
from semtok.data.index import CAPTIONS, SIBLINGS
from semtok.errors import SemtokError


@pytest.fixture
def data_of(image_files, tmp_path):
    """A function: paths of images, with ids from 1 -> the split that they are."""

    def make(*paths):
        files = image_files(tmp_path / "root", list(paths))
        captions, siblings = (each.columns.empty_table() for each in (CAPTIONS, SIBLINGS))
        return SplitData("test", files, captions, None, siblings, tmp_path / "index")

    return make


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("val2014/COCO_val2014_000000000139.jpg", "000000000139.jpg"),
        ("val2017/000000000139.jpg", "COCO_val2014_000000000139.jpg"),
        ("val2017/ex_0_img_0.png", "ex_0_img_0"),
        ("val/cat/n01.JPEG", "n01.jpg"),
        ("val/cat/img.2024.001.jpg", "img.2024.001"),
    ],
)
def test_a_name_matches_without_its_folder_and_its_extension(data_of, path, name):
    data = data_of("val/img.2023.001.jpg", path)
    assert official.image_ids(data, [name, "img", "other.jpg"]).tolist() == [2, -1, -1]


def test_names_that_are_of_two_images_are_refused_where_they_are_asked_for(data_of):
    data = data_of("val/cat/001.jpg", "val/dog/001.jpg", "val/dog/002.jpg")
    assert official.image_ids(data, ["002"]).tolist() == [3]
    told = r"^[^\n]*val/cat/001\.jpg and val/dog/001\.jpg have one name, 001,[^\n]*$"
    with pytest.raises(SemtokError, match=told):
        official.image_ids(data, ["002", "001.jpg"])


def test_an_image_has_one_file(data_of, tmp_path):
    data = data_of("val/img.2024.001.jpg", "val/img.2024.002.jpg")
    folder = tmp_path / "index/benchmarks/saliency"
    folder.mkdir(parents=True)
    for number in (1, 2):
        (folder / f"img.2024.00{number}.png").touch()
    found = official.files_of_images(data, "saliency", "here")
    assert {each: path.name[-5:-4] for each, path in found.items()} == {1: "1", 2: "2"}
    (folder / "img.2024.002.bmp").touch()
    with pytest.raises(SemtokError, match=r"002\.png: is of the same image as img\.2024\.002\.bmp"):
        official.files_of_images(data, "saliency", "here")
