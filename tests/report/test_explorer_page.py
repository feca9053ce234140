"""`semtok explore` of a whole small line, and its pages in a real browser."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from semtok import commands
from semtok.bench.attributions import attributions
from semtok.cli import app
from semtok.data.index import CAPTIONS, split_images
from semtok.errors import SemtokError
from semtok.report.explorer.server import serving
from semtok.tables import read_table
from tests.browser import browser
from tests.report import explored
from tests.report.test_comparison_page import CONTRASTS, HOSTILE

pytestmark = pytest.mark.slow

#: Of the split val: two files of data.
IMAGES = 26


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return explored.build(tmp_path_factory.mktemp("explored") / "line")


def explore(root, *arguments):
    words = ["--project", str(root), "explore", *map(str, arguments)]
    return CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "pages"
    done = explore(root, "val", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["page"], told["images"]) == (str(out / "index.html"), IMAGES)
    assert told["variants"] == ["gates", "semantic", "superpixels", "vit"]
    assert told["left_out"] == {"later": "is not trained"}
    assert list(out.parent.iterdir()) == [out]
    return out


def part(folder, name, number=0):
    text = (folder / f"data/{name}-{number}.js").read_text(encoding="utf-8")
    return json.loads(re.fullmatch(rf'take\("{name}", {number}, (.*)\);\n', text)[1])


def contents(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="contents">(.*)</script>', text)[1])


def test_it_tells_of_each_image_what_the_artifacts_hold(root, folder):
    base = root / "artifacts/scenes/extraction/annotated-val"
    masks, graphs = (
        pq.read_table(next((base / name).glob("[0-9]*.parquet"))).to_pylist()
        for name in ("masks", "scene_graphs")
    )
    ids = [row[0] for row in contents(folder)["images"]]
    told = part(folder, "images") + part(folder, "images", 1)
    assert len(told) == len(ids) == IMAGES and ids == sorted(ids)
    for image_id, row in zip(ids, told, strict=True):
        found = row["found"]["annotated-val"]
        of_image = [each for each in masks if each["image_id"] == image_id]
        assert {(m["id"], m["name"]) for m in found["masks"]} == {
            (each["mask_id"], each["category"]) for each in of_image
        }
        relations = [each for each in graphs if each["image_id"] == image_id]
        assert sorted(map(tuple, (each[:3] for each in found["relations"]))) == sorted(
            (each["subject"], each["predicate"], each["object"]) for each in relations
        )
    assert told[0]["aside"] == [["masks@annotated-val", "entry 77", "empty"]]
    assert told[1]["picture"] == "" and told[2]["picture"] == f"pictures/{ids[2]}.jpg"
    assert (folder / told[2]["picture"]).is_file() and (folder / told[2]["thumbnail"]).is_file()


def test_nearest_captions_and_attributions_are_those_of_other_ways(root, folder):
    """Of `semtok predict`, which knows nothing of shards, and of the picture of attributions."""
    ids = [row[0] for row in contents(folder)["images"]]
    told, images = part(folder, "variant3"), part(folder, "images")
    captions = read_table(root / "artifacts/scenes/index/captions.parquet", CAPTIONS).to_pylist()
    texts = sorted({row["caption"] for row in captions if row["image_id"] in ids})
    path = root / "artifacts/scenes/images" / images[3]["name"]
    found = commands.predict(root, "vit", 0, [path], texts, None)["similarities"][0]
    near = told[3]["near"]
    assert [each[1] for each in near] == [
        round(each, 3) for each in sorted(found, reverse=True)[:5]
    ]
    of_text = dict(zip(texts, found, strict=True))
    assert all(abs(of_text[text] - cosine) < 6e-4 for text, cosine, _ in near)
    own = {row["caption"] for row in captions if row["image_id"] == ids[3]}
    assert all((mark == "own") == (text in own) for text, _, mark in near)

    base = root / "artifacts/scenes"
    index = pa.Table.from_pylist(captions, CAPTIONS.columns)
    drawn = attributions(
        base / "checkpoint/superpixels/seed-0", base / "token_shards/superpixel-val", index, 2
    )
    place = ids.index(int(drawn.rows.image_ids[0]))
    view = part(folder, "variant2", place // 16)[place % 16]
    count = drawn.rows.region_counts[0]
    assert np.allclose(
        view["values"]["attention_flow"], drawn.attention_flow[:count], rtol=6e-3, atol=1e-6
    )
    owners = np.repeat(view["superpixels"][::2], view["superpixels"][1::2])
    assert (owners == drawn.rows.owners[0].ravel()).all()


def test_tokens_of_masks_are_named_by_masks_and_gates_tell_gradients_alone(folder):
    images, semantic, gates = (part(folder, each) for each in ("images", "variant1", "variant0"))
    for row, view in zip(images, semantic, strict=True):
        masks = row["found"]["annotated-val"]
        names = [each["id"] for each in masks["masks"]]
        assert sorted(view["regions"]) == sorted(names)
        told = {(view["regions"][s], p, view["regions"][o]) for s, p, o in view["relations"]}
        true = {tuple(each[:3]) for each in masks["relations"]}
        # A predicate that training has not shown is unknown to the variant.
        assert told <= true | {(s, "unknown", o) for s, _, o in true} and told & true
        assert len(view["values"]["attention"]) == len(names) + len(view["relations"])
        assert 0 < sum(view["values"]["attention"]) <= 1.01
    for view in gates:
        assert list(view["values"]) == ["gradient_input"] and len(view["near"]) == 5
        assert len(view["values"]["gradient_input"]) == view["patches"] ** 2
        assert any(view["values"]["gradient_input"])


def test_again_it_writes_the_same_bytes_in_place_of_the_older_ones(root, folder, tmp_path):
    copy = tmp_path / "pages"
    shutil.copytree(folder, copy)
    (copy / "data/stale.js").write_text("old")
    assert explore(root, "val", "--out", copy).stdout == f"{copy}/index.html\n"
    ours, theirs = (
        {path.relative_to(each): path.read_bytes() for path in each.rglob("*") if path.is_file()}
        for each in (folder, copy)
    )
    assert ours == theirs


def test_a_run_that_ends_midway_leaves_the_older_page_whole(root, tmp_path):
    pages = tmp_path / "pages"
    assert explore(root, 2, "--out", pages).exit_code == 0
    older = (pages / "index.html").read_bytes()
    limited = [
        "import resource, signal, sys",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))",  # a full disk
        "from semtok.cli import main",
        "sys.argv = ['semtok', '--project', sys.argv[1], 'explore', 'val', '--out', sys.argv[2]]",
        "main()",
    ]
    command = [sys.executable, "-c", "\n".join(limited), str(root), str(pages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("nothing was published"), done.stderr
    assert [each.name for each in pages.iterdir()] == ["index.html"]
    assert (pages / "index.html").read_bytes() == older


def test_what_it_did_not_write_it_does_not_replace(root, tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(SemtokError, match=r"holds something .* name another --out$"):
        explore(root, "val", "--out", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["holiday.jpg"]


def test_what_people_put_beside_a_page_is_not_deleted(root, tmp_path):
    pages = tmp_path / "pg"
    assert explore(root, 2, "--out", pages).exit_code == 0
    (pages / "notes.txt").write_text("mynotes")
    with pytest.raises(SemtokError, match=r"pg: holds something .* \(notes\.txt\); name another"):
        explore(root, 2, "--out", pages)
    assert (pages / "notes.txt").read_text() == "mynotes"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["pg"]


def test_people_are_told_what_is_missing(root, tmp_path):
    for named in ("tset", "99999", "99999999999999999999", "nothing.jpg"):
        told = (
            rf"{named}: no split \(train, val, test\), no id of an image of scenes \(0\.\..*no file"
        )
        with pytest.raises(SemtokError, match=told):
            explore(root, named, "--out", tmp_path / "pages")
    (tmp_path / "notes.jpg").write_text("no picture")
    with pytest.raises(SemtokError, match=r"notes.jpg: not a readable image; name another file$"):
        explore(root, tmp_path / "notes.jpg", "--out", tmp_path / "pages")
    bare = tmp_path / "line"
    shutil.copytree(root, bare, symlinks=True)
    for gone in ("extraction", "checkpoint"):
        shutil.rmtree(bare / "artifacts/scenes" / gone)
    told = r"nothing was extracted from val yet .* run masks@annotated-val or a checkpoint first$"
    with pytest.raises(SemtokError, match=told):
        explore(bare, "val", "--out", tmp_path / "pages")
    shutil.rmtree(bare / "artifacts/scenes/index")
    with pytest.raises(SemtokError, match="index: missing; run index first"):
        explore(bare, "val", "--out", tmp_path / "pages")
    assert not (tmp_path / "pages").exists()


def test_one_image_is_one_file(root, folder, tmp_path):
    """By its id, by its file, and one that is not of the data set."""
    row = split_images(root / "artifacts/scenes/index", "val").slice(2, 1).to_pylist()[0]
    path = root / "artifacts/scenes/images" / row["path"]
    other = tmp_path / "other.jpg"
    shutil.copy(path, other)
    pages = {}
    for named in (row["image_id"], path, other):
        out = tmp_path / "one"
        assert explore(root, named, "--out", out).exit_code == 0
        assert [each.name for each in out.iterdir()] == ["index.html"]
        pages[named] = contents(out)["inside"]
    assert pages[row["image_id"]] == pages[path]
    mine, theirs = pages[path], pages[other]
    assert mine["variant3"] == [part(folder, "variant3")[2]]
    assert theirs["images"][0]["found"] == {} and set(theirs) == {
        "images",
        *["variant0", "variant1", "variant2"],
    }
    for kind in ("attention", "attention_flow"):
        assert theirs["variant2"][0]["values"][kind] == mine["variant3"][0]["values"][kind]
    assert theirs["variant2"][0]["rank"] is None
    text = (tmp_path / "one/index.html").read_text(encoding="utf-8")
    assert "semantic: not here: its tokens are made of masks" in text and "://" not in text


def test_the_address_of_a_served_page_stands_beside_its_json(root, tmp_path):
    command = [sys.executable, "-c", "from semtok.cli import main; main()", "--project", str(root)]
    command += ["explore", "2", "--out", str(tmp_path / "one"), "--json", "--serve"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        told = next((line for line in process.stderr if "Ctrl-C" in line), None)
        process.terminate()
        rest = process.stdout.read()
    assert told is not None and told.startswith("http://127.0.0.1:"), rest
    assert json.loads(rest)["images"] == 1


def test_a_file_whose_name_is_no_text_is_shown(root, tmp_path):
    row = split_images(root / "artifacts/scenes/index", "val").slice(2, 1).to_pylist()[0]
    other = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    shutil.copy(root / "artifacts/scenes/images" / row["path"], other)
    assert explore(root, other, "--out", tmp_path / "one").exit_code == 0
    (told,) = contents(tmp_path / "one")["inside"]["images"]
    assert told["name"] == "caf\ufffd.jpg" and told["picture"].startswith("data:image/jpeg")


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


SHOWN = "document.querySelectorAll('#cards article').length === 4"


def test_in_a_browser_the_page_opens_from_its_folder(folder, tab):
    tab.open(folder / "index.html")
    tab.wait(SHOWN)
    tab.wait("document.getElementById('picture').naturalWidth > 0")
    asked = [each for each in tab.requests if not each.startswith("data:")]
    assert all(each.startswith(folder.as_uri()) for each in asked)
    assert not any(re.search(r"-1\.js$", each) for each in asked)  # the second file is not needed
    assert tab.complaints == []
    assert tab.evaluate("[...document.images].every(each => each.hasAttribute('alt'))")
    assert tab.evaluate("document.querySelectorAll('#thumbnails img').length") == IMAGES - 1
    nameless = (
        "[...document.querySelectorAll('button, summary, a')].filter(e => !e.textContent.trim())"
    )
    assert tab.evaluate(f"{nameless}.length") == 0
    unlabelled = "[...document.querySelectorAll('input')].filter(e => !e.labels.length).length"
    assert tab.evaluate(unlabelled) == 0
    heats = "[...document.querySelectorAll('[role=img]')].map(e => e.getAttribute('aria-label'))"
    assert [each.split(";")[0] for each in tab.evaluate(heats)] == [
        "gradient input of gates",
        *(f"attention of {name}" for name in ("semantic", "superpixels", "vit")),
    ]
    told = "The gradient input, since the attention of its encoder is not read: gradient of the"
    assert told in tab.evaluate("document.querySelector('[aria-label=gates]').innerText")
    words = tab.evaluate("document.getElementById('captions').innerText")
    assert HOSTILE in words
    assert "entry 77: empty" in tab.evaluate("document.getElementById('aside').innerText")


def test_arrow_keys_turn_and_layers_change_at_once(folder, tab):
    tab.open(folder / "index.html")
    tab.wait(SHOWN)
    ids = [row[0] for row in contents(folder)["images"]]
    heading = "document.getElementById('heading').textContent"
    tab.press("ArrowRight")
    tab.wait(f"{heading} === 'Image {ids[1]}'")
    assert tab.evaluate("!document.getElementById('unreadable').hidden")
    tab.press("ArrowRight")
    tab.wait(f"{heading} === 'Image {ids[2]}'")
    tab.press("ArrowLeft")
    tab.wait(f"{heading} === 'Image {ids[1]}'")
    assert tab.evaluate("document.querySelector('[aria-current]').textContent") == str(ids[1])

    # By keyboard alone: into the field of ids, and Enter.
    tab.evaluate("document.getElementById('id').focus()")
    tab.call("Input.insertText", text=str(ids[20]))
    tab.press("Enter", "\r")
    tab.wait(f"{heading} === 'Image {ids[20]}'")
    assert tab.evaluate("document.getElementById('place').textContent") == f"21 of {IMAGES}"

    (masks,) = (each["masks"] for each in part(folder, "images", 1)[4]["found"].values())
    paths = "document.querySelectorAll('#overlay .mask').length"
    assert tab.evaluate(paths) == len(masks)
    arrows = tab.evaluate("document.querySelectorAll('#overlay .arrow').length")
    assert 0 < arrows == tab.evaluate("document.querySelectorAll('#relation-list li').length")
    tab.evaluate("document.querySelector('[value=\"superpixels=superpixels\"]').click()")
    tab.wait(f"{paths} === 0 && !document.getElementById('borders').hidden")
    tab.evaluate("document.getElementById('relations').click()")
    tab.wait("document.querySelectorAll('#overlay .arrow').length === 0")
    tab.evaluate("document.querySelector('[value=\"attention_flow\"]').click()")
    tab.wait("document.getElementById('about-kind').textContent.startsWith('logarithm')")


def test_addresses_and_ids_of_no_image_are_told(folder, tab):
    place = "document.getElementById('place').textContent"
    ids = [row[0] for row in contents(folder)["images"]]
    tab.open("about:blank")
    tab.open(f"{(folder / 'index.html').as_uri()}#100%")
    tab.wait(f"{place} === 'no image 100% here'")
    tab.wait(SHOWN)
    tab.press("ArrowRight")
    tab.wait(f"{place} === '2 of {IMAGES}'")
    for typed in ("next", "heading"):  # ids of elements
        tab.evaluate("document.getElementById('id').value = ''")
        tab.evaluate("document.getElementById('id').focus()")
        tab.call("Input.insertText", text=typed)
        tab.press("Enter", "\r")
        tab.wait(f"{place} === 'no image {typed} here'")
    tab.evaluate("document.getElementById('id').value = ''")
    tab.call("Input.insertText", text=str(ids[1]))
    tab.press("Enter", "\r")
    tab.wait(f"{place} === '2 of {IMAGES}'")


@pytest.mark.parametrize("damage", ["gone", "not whole"])
def test_a_page_without_its_data_says_so_and_turns(folder, tab, tmp_path, damage):
    pages = tmp_path / "pages"
    shutil.copytree(folder, pages)
    for path in (pages / "data").glob("*-0.js"):
        path.unlink() if damage == "gone" else path.write_text('take("imag')
    ids = [row[0] for row in contents(folder)["images"]]
    tab.open(pages / "index.html")
    place = "document.getElementById('place').textContent"
    told = rf"/^image {ids[0]}: data.\S+-0\.js, .* cannot be read$/.test({place})"
    tab.wait(told)
    tab.evaluate(f"location.hash = {ids[20]}")
    tab.wait(f"document.getElementById('heading').textContent === 'Image {ids[20]}'")
    tab.wait(f"{SHOWN} && document.querySelectorAll('[name=layer]').length === 3")


def test_the_filter_leaves_what_fits(folder, tab):
    tab.open(folder / "index.html")
    tab.wait(SHOWN)
    wrong = [row[0] for row in contents(folder)["images"] if "vit:wrong" in row[4]]
    assert 0 < len(wrong) <= IMAGES
    tab.evaluate("document.getElementById('filter').focus()")
    tab.call("Input.insertText", text="vit:wrong")
    shown = "[...document.querySelectorAll('#thumbnails a')].map(each => +each.textContent)"
    assert tab.evaluate(shown) == wrong
    # Of what fits, the first one's turn comes.
    tab.wait(f"document.getElementById('heading').textContent === 'Image {wrong[0]}'")
    tab.call("Input.insertText", text=" no such words")
    assert tab.evaluate("document.getElementById('place').textContent") == "no image fits"
    assert tab.evaluate("document.getElementById('next').ariaDisabled") == "true"


def test_the_filter_compares_words_and_whole_marks(folder, tab):
    tab.open(folder / "index.html")
    tab.wait(SHOWN)
    image = [7, "A black dog, smiling. teddy bear", True, "", ["small_vit:wrong", "set-aside"]]
    has = {
        **dict.fromkeys(("7", "black", "dog", "dog,", "smil", "bear", "set-aside"), True),
        **dict.fromkeys(("small_vit:wrong", "teddy-bear"), True),
        **dict.fromkeys(("lack", "og", "ear", "70", "vit:wrong", "small_vit:wro", "..."), False),
    }
    asked = f"Object.fromEntries({list(has)}.map(word => [word, has({json.dumps(image)}, word)]))"
    assert tab.evaluate(asked) == has


def test_who_follows_a_thumbnail_or_reaches_the_last_image_is_not_lost(folder, tab):
    tab.look(900, 500)
    tab.open(folder / "index.html")
    tab.wait(SHOWN)
    ids = [row[0] for row in contents(folder)["images"]]
    heading = "document.getElementById('heading')"
    for number in (2, IMAGES - 2):
        tab.evaluate(f"document.querySelector('#thumbnails [href=\"#{ids[number]}\"]').focus()")
        assert tab.evaluate("scrollY > innerHeight")
        tab.press("Enter", "\r")
        tab.wait(f"{heading}.textContent === 'Image {ids[number]}'")
        assert tab.evaluate("document.activeElement.id") == "heading"
        # Under the bar that stays, and not far below.
        under = "document.querySelector('nav').getBoundingClientRect().bottom"
        top = tab.evaluate(f"{heading}.getBoundingClientRect().top - {under}")
        assert 0 <= top < 100

    tab.evaluate("document.getElementById('next').focus()")
    for _ in range(2):  # the second one has nowhere to go
        tab.press("Enter", "\r")
        tab.wait(f"{heading}.textContent === 'Image {ids[-1]}'")
        assert tab.evaluate("document.activeElement.id") == "next"
    assert tab.evaluate("document.activeElement.ariaDisabled") == "true"


def test_of_thousands_of_images_it_loads_those_that_are_seen(folder, tab, tmp_path):
    """Five thousand rows of contents over the data of a few: who looks at two loads two."""
    pages, count, far = tmp_path / "pages", 5000, 4007
    shutil.copytree(folder, pages)
    known = contents(folder)
    few, thumbnail = known["images"][:16], next((folder / "thumbnails").iterdir())
    known["images"] = [[10_000 + n, *few[n % 16][1:]] for n in range(count)]
    index = pages / "index.html"
    before, rest = index.read_text(encoding="utf-8").split('id="contents">')
    after = rest[rest.index("</script>") :]
    words = json.dumps(known).replace("<", "\\u003c")
    index.write_text(f'{before}id="contents">{words}{after}', encoding="utf-8")
    for image_id, *_ in known["images"]:
        os.link(thumbnail, pages / f"thumbnails/{image_id}.jpg")
    for path in [*(pages / "data").glob("*-0.js")]:
        text = path.read_text(encoding="utf-8").replace(", 0, [", f", {far // 16}, [", 1)
        path.with_name(path.name.replace("-0.js", f"-{far // 16}.js")).write_text(text)

    def asked(suffix):
        return {each for each in tab.requests[start:] if each.endswith(suffix)}

    start = len(tab.requests)
    tab.open(index)
    tab.wait(SHOWN)
    parts = 1 + len(known["variants"])
    assert len(asked("-0.js")) == len(asked(".js")) == parts
    tab.evaluate(f"location.hash = {10_000 + far}")
    tab.wait(f"document.getElementById('heading').textContent === 'Image {10_000 + far}'")
    assert len(asked(".js")) == 2 * parts
    # Thumbnails: those of the page of 48 that has the image, and of these those in view.
    shown = "[...document.querySelectorAll('#thumbnails a')].map(each => +each.textContent)"
    assert tab.evaluate(shown) == [10_000 + n for n in range(far // 48 * 48, far // 48 * 48 + 48)]
    lazy = "[...document.querySelectorAll('#thumbnails img')].every(e => e.loading === 'lazy')"
    assert tab.evaluate(lazy)
    assert len({each for each in asked(".jpg") if "/thumbnails/" in each}) <= 2 * 48
    tab.evaluate("document.getElementById('filter').focus()")
    # One whose data is here: of most others this very line would soon say that it is missing.
    tab.call("Input.insertText", text=str(10_000 + far + 1))
    tab.wait(f"document.getElementById('heading').textContent === 'Image {10_000 + far + 1}'")
    tab.wait(f"document.getElementById('place').textContent === '1 of 1 that fit, of {count:,}'")


def test_everybody_can_read_it(folder, tab):
    tab.look(360, 800)
    tab.open(folder / "index.html")
    tab.wait(SHOWN)
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    for scheme in ("light", "dark"):
        tab.look(1200, 800, scheme)
        assert (
            min(
                tab.evaluate(
                    CONTRASTS.replace(
                        'body.querySelectorAll("*")', 'body.querySelectorAll(":not(svg *, script)")'
                    )
                )
            )
            >= 4.5
        )


def test_served_on_loopback_it_is_the_same_and_other_hosts_get_nothing(folder, tab):
    import http.client

    with serving(folder) as address:
        assert address.startswith("http://127.0.0.1:")
        tab.open(address)
        tab.wait(SHOWN)
        tab.wait("document.getElementById('picture').naturalWidth > 0")
        port = int(address.rstrip("/").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/", headers={"Host": "elsewhere.example:80"})
        assert connection.getresponse().status == 421
