"""`semtok compare --markdown` and `--html`, of a whole small line, and in a real browser."""

import base64
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from semtok.bench import sugar_crepe
from semtok.bench.cases import CASES
from semtok.cli import app
from semtok.data.index import CAPTIONS
from semtok.errors import SemtokError
from semtok.tables import write_table
from tests import small_line
from tests.browser import browser

pytestmark = pytest.mark.slow

BENCHMARKS = ["retrieval", "siblings", "sugar_crepe", "winoground", "aro", "vsr"]
HOSTILE = "<script>alert(\"1\")</script><img src=x onerror=alert(2)> & 'so' on {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A scored line, whose captions are hostile only after it was."""
    document = small_line.shrunk(small_line.own())
    document["bench"] |= {"benchmarks": BENCHMARKS}
    workspace = small_line.build(tmp_path_factory.mktemp("compared") / "line", document)
    path = workspace.input("index") / "captions.parquet"
    captions = pq.read_table(path)
    texts = [f"{HOSTILE} {text}" for text in captions["caption"].to_pylist()]
    place = captions.column_names.index("caption")
    write_table(path, captions.set_column(place, "caption", [texts]), CAPTIONS)
    return workspace.root


def compare(root, *arguments):
    result = CliRunner().invoke(app, ["--project", str(root), "compare", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def page(root, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    assert compare(root, "vit", "semantic", "--html", path) == f"{path}\n"
    return path


class Seen(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.texts, self.data = [], [], {}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def of(self, *names):
        return [attributes for tag, attributes in self.tags if tag in names]


def test_markdown_is_the_leaderboard_that_the_stage_writes(root, tmp_path):
    printed = compare(root, "--markdown")
    small_line.run(root, "leaderboard", None)
    stage = (root / "artifacts/scenes/leaderboard/leaderboard.md").read_text(encoding="utf-8")
    assert stage == f"# Leaderboard\n\n{printed}"
    head = next(line for line in printed.splitlines() if line.startswith("|  |"))
    assert head == "|  | variant | value | points | relative gain, % | p (Holm) | verdict |"
    assert re.search(r"^\| semantic \| .* s \| \d[\d,]* \| 0\.001 \|$", printed, re.MULTILINE)


def test_json_and_markdown_are_not_printed_at_once(root):
    result = CliRunner().invoke(app, ["--project", str(root), "compare", "--json", "--markdown"])
    assert isinstance(result.exception, SemtokError) and "choose one" in str(result.exception)


def test_a_folder_is_no_page(root, tmp_path):
    arguments = ["--project", str(root), "compare", "--html", str(tmp_path)]
    told = CliRunner().invoke(app, arguments).exception
    assert isinstance(told, SemtokError)
    assert str(told) == f"{tmp_path}: is a folder; name a file in it"
    assert not [*tmp_path.iterdir()]


def test_a_full_disk_leaves_the_older_page_whole(root, tmp_path):
    older = tmp_path / "older.html"
    older.write_text("an older page")
    limited = [
        "import resource, signal, sys",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))",
        "from semtok.cli import main",
        "sys.argv = ['semtok', '--project', sys.argv[1], 'compare', '--html', sys.argv[2]]",
        "main()",
    ]
    command = [sys.executable, "-c", "\n".join(limited), str(root), str(older)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ") and "Traceback" not in done.stderr
    assert older.read_text() == "an older page" and list(tmp_path.iterdir()) == [older]


def test_the_page_holds_the_numbers_of_json(root, page):
    seen = Seen(page)
    words = " ".join(" ".join(seen.texts).split())
    board = json.loads(compare(root, "vit", "semantic", "--json"))
    rows = [r for r in board["rows"] if r["split"] == "test" and r["variant"] == "semantic"]
    assert len(rows) > 50  # parts of tasks among them
    for row in rows:
        value = row["value"]
        ends = f"{value['estimate']:.1f} [{value['low']:.1f}, {value['high']:.1f}]"
        assert ends in words
    for cost in board["costs"].values():
        assert f"{cost['parameters']['blocks']:,}" in words
        assert f"{cost['images_per_second']:,.0f}" in seen.texts


def test_every_header_cell_has_a_scope_and_every_picture_an_alternative(page):
    seen = Seen(page)
    assert all(each["scope"] in ("col", "row", "rowgroup") for each in seen.of("th"))
    assert all(each["alt"] for each in seen.of("img"))
    tables = len(seen.of("table"))
    assert tables == len(seen.of("caption")) > len(BENCHMARKS)
    assert [each["lang"] for each in seen.of("html")] == ["en"]


def test_captions_are_words_whatever_stands_in_them(page):
    seen = Seen(page)
    assert not seen.of("script", "iframe", "object", "link", "form")
    assert not any(name.startswith("on") for _, found in seen.tags for name in found)
    assert any(HOSTILE in text for text in seen.texts)


def test_the_page_asks_for_nothing_from_anywhere(page):
    text = page.read_text(encoding="utf-8")
    assert "://" not in text
    seen = Seen(page)
    assert all(each["src"].startswith("data:image/") for each in seen.of("img"))
    assert all(each["href"].startswith("#") for each in seen.of("a"))
    assert "url(" not in text and "@import" not in text
    (policy,) = (each["content"] for each in seen.of("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none';")


def test_the_same_scores_give_the_same_bytes_and_not_too_many(root, page, tmp_path):
    compare(root, "vit", "semantic", "--html", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()
    assert page.stat().st_size < 5e6


def test_a_case_is_shown_with_its_picture_and_who_was_right(root, page):
    """One of SugarCrepe, found in the files by hand."""
    text = page.read_text(encoding="utf-8")
    section = text[text.index("<h3>sugar_crepe, test") :]
    card = section[section.index("<article>") : section.index("</article>")]
    case_id = int(re.search(r"Case (\d+)", card)[1])
    subsets = sugar_crepe.SUBSETS
    index = root / "artifacts/scenes/index"
    file = index / f"benchmarks/sugar_crepe/{subsets[case_id % 8]}.json"
    row = json.loads(file.read_text())[str(case_id // 8)]
    assert f"right:</span> {row['caption']}<" in card
    assert f"wrong:</span> {row['negative_caption']}<" in card
    image = next(
        each
        for each in pq.read_table(index / "images.parquet").to_pylist()
        if each["path"].endswith(row["filename"])
    )
    shown, masked = (decoded(src) for src in re.findall(r'src="([^"]+)"', card))
    original = cv2.imread(str(root / "artifacts/scenes/images" / image["path"]))
    small = cv2.resize(shown, original.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - original).mean() < 8  # JPEG twice
    assert np.abs(masked.astype(int) - shown).mean() > 20
    assert f"image {image['image_id']}," in card and "masks@annotated-test" in card
    for variant in ("vit", "semantic"):
        cases = pq.read_table(root / f"artifacts/scenes/scores/{variant}/cases.parquet").to_pylist()
        of_case = [
            each["rank"] == 1
            for each in cases
            if (each["benchmark"], each["split"], each["task"], each["case_id"])
            == ("sugar_crepe", "test", "caption", case_id)
        ]
        told = re.search(rf"<dt>{variant}</dt><dd class=\"\w+\">([^<]+)<", card)[1]
        assert told == f"right in {sum(of_case)} of {len(of_case)} trainings"


class Beside(HTMLParser):
    """Of each image of some cards its captions, each with what stands below it.

    Attributes:
        images: of each a list of right or wrong, and variant -> what it scored and whether in bold.
    """

    def __init__(self, html):
        super().__init__()
        self.images, self._within, self._strong = [], "", False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        kind = dict(attrs).get("class")
        if (tag, kind) == ("div", "image"):
            self.images.append([])
        elif (tag, kind) == ("p", "caption"):
            self._within = "caption"
        elif tag == "li":
            self._within = "similar"
        self._strong = tag == "strong"

    def handle_endtag(self, tag):
        if tag in ("p", "li"):
            self._within = ""

    def handle_data(self, data):
        words = data.split()
        if self._within == "caption" and words in (["right:"], ["wrong:"]):
            self.images[-1].append((words == ["right:"], {}))
        elif self._within == "similar" and words:
            scored = self.images[-1][-1][1]
            if words[0] in ("vit", "semantic"):
                self._variant, *words = words
            if words:
                scored[self._variant] = float(words[0]), self._strong


def cards_of(page, benchmark):
    """Task, and the ids and the parsed captions of a benchmark's cards."""
    text = page.read_text(encoding="utf-8")
    section = text[text.index(f"<h3>{benchmark}, test") :]
    section = section[: section.find("<h3>", 1)]
    task = re.search(rf"{benchmark}, test: (\w+)", section)[1]
    cards = section.split("<article>")[1:]
    return task, {int(re.search(r"Case (\d+)", card)[1]): Beside(card).images for card in cards}


def edited(root, copy, change):
    """A copy of the line, with each case of both variants changed."""
    shutil.copytree(root, copy, symlinks=True)
    for variant in ("vit", "semantic"):
        path = copy / f"artifacts/scenes/scores/{variant}/cases.parquet"
        rows = [change(variant, row) for row in pq.read_table(path).to_pylist()]
        path.unlink()
        write_table(path, pa.Table.from_pylist(rows, schema=CASES.columns), CASES)
    return copy


def pairs_apart(variant, row):
    """So small a line may tell no two images apart: here one variant does."""
    if row["benchmark"] in ("winoground", "vsr"):
        row["rank"] = 1 if variant == "semantic" else 2
    return row


def pairs_unscored(variant, row):
    """The same, but that nobody kept the scores."""
    if row["benchmark"] == "winoground":
        row["similarities"] = None
    return pairs_apart(variant, row)


@pytest.fixture(scope="module")
def pairs_page(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    compare(edited(root, folder / "line", pairs_apart), "--html", folder / "page.html")
    return folder / "page.html"


@pytest.mark.parametrize("benchmark", ["siblings", "sugar_crepe", "winoground", "aro", "vsr"])
def test_each_caption_has_the_mean_score_of_both_variants(root, pairs_page, benchmark):
    task, cards = cards_of(pairs_page, benchmark)
    wanted = {}
    for variant in ("vit", "semantic"):
        table = pq.read_table(root / f"artifacts/scenes/scores/{variant}/cases.parquet")
        for row in table.to_pylist():
            if (row["benchmark"], row["split"], row["task"]) == (benchmark, "test", task):
                kept = wanted.setdefault(row["case_id"], {}).setdefault(variant, [])
                kept.append(row["similarities"])
    assert cards
    for case_id, images in cards.items():
        means = {name: np.mean(each, axis=0) for name, each in wanted[case_id].items()}
        assert len(images) == len(means["vit"]) == len(means["semantic"])
        for place, said in enumerate(images):
            rights = [right for right, _ in said]
            assert rights == sorted(rights, reverse=True)
            for variant, mean in means.items():
                # Of two images the second one's own caption comes last in the table.
                row = mean[place][::-1] if place else mean[place]
                shown = [scored[variant] for _, scored in said]
                assert [value for value, _ in shown] == pytest.approx(row, abs=5.1e-4)
                highest = [len(row) > 1 and value == max(row) for value in row]
                assert [strong for _, strong in shown] == highest


def test_a_case_without_scores_shows_who_was_right(root, pairs_page, tmp_path):
    copy, path = edited(root, tmp_path / "line", pairs_unscored), tmp_path / "page.html"
    compare(copy, "--html", path)
    (_, scored), (_, cards) = cards_of(pairs_page, "winoground"), cards_of(path, "winoground")
    assert cards and cards.keys() == scored.keys()
    for case_id, images in cards.items():
        assert images == [[(True, {})]] * 2
        assert [[right for right, _ in said] for said in scored[case_id]] == [[True, False]] * 2
    assert cards_of(path, "sugar_crepe") == cards_of(pairs_page, "sugar_crepe")


def test_scores_of_other_captions_are_refused(root, tmp_path):
    def change(variant, row):
        return row | ({"similarities": [[0.5, 0.25, 0.1]]} if row["task"] == "caption" else {})

    copy = edited(root, tmp_path / "line", change)
    arguments = ["--project", str(copy), "compare", "vit", "semantic", "--html"]
    result = CliRunner().invoke(app, [*arguments, str(tmp_path / "page.html")])
    assert isinstance(result.exception, SemtokError)
    fault = r"vit: case \d+ was asked with other captions; run its scores again"
    assert re.fullmatch(fault, str(result.exception))


def test_without_extraction_in_the_workspace_pictures_have_no_masks(root, tmp_path):
    copy = tmp_path / "line"
    shutil.copytree(root, copy, symlinks=True)
    shutil.rmtree(copy / "artifacts/scenes/extraction")
    compare(copy, "vit", "semantic", "--html", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "without masks" in text and "masks@" not in text


def test_of_many_variants_the_page_stays_small(root, tmp_path):
    copy = tmp_path / "line"
    shutil.copytree(root, copy, symlinks=True)
    document = yaml.safe_load((copy / "params.yaml").read_text())
    for number in range(30):
        name = f"semantic_{number}"
        document["variants"][name] = document["variants"]["semantic"]
        scores = copy / "artifacts/scenes/scores"
        shutil.copytree(scores / "semantic", scores / name)
    document["bench"] |= {"bootstrap": 50}
    (copy / "params.yaml").write_text(yaml.safe_dump(document))
    compare(copy, "--html", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(text) < 5e6
    assert "semantic_29</td>" in text
    shown = set(re.findall(r"<strong>(\w+)</strong> ahead", text))
    assert "semantic" in shown and 3 <= len(shown) < 20  # the first ones alone
    (left_out,) = re.findall(r"Not shown, as there are too many: ([^.]+)\.", text)
    assert set(left_out.split(", ")) == {*document["variants"]} - shown


def test_one_variant_has_nothing_to_differ_from(root, tmp_path):
    compare(root, "semantic", "--html", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h1>semantic, side by side</h1>" in text and "Cases where they differ" not in text


def test_in_a_browser_everything_shows_and_nothing_is_fetched(page, tmp_path):
    with browser(tmp_path / "profile") as tab:
        tab.open(page)
        fetched = [each for each in tab.requests if not each.startswith("data:")]
        assert fetched == [page.as_uri()]
        assert tab.complaints == []
        images = tab.evaluate(
            "[...document.images].map(each => each.complete && each.naturalWidth > 0)"
        )
        assert len(images) == len(Seen(page).of("img")) and all(images)
        assert tab.evaluate("document.scripts.length") == 0
        # By keyboard: a summary has the focus after tabbing on, and Enter opens it.
        assert tab.evaluate("document.querySelectorAll('#tasks details[open]').length") == 0
        tab.evaluate("document.querySelector('#tasks summary').focus()")
        for kind in ("keyDown", "keyUp"):
            tab.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key="Enter",
                text="\r",
                windowsVirtualKeyCode=13,
            )
        assert tab.evaluate("document.querySelectorAll('#tasks details[open]').length") == 1
        tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        scored = tab.evaluate(
            "[...document.querySelectorAll('.similar')].map(each => [each.innerText, "
            "each.previousElementSibling.className, each.getBoundingClientRect().height > 10])"
        )
        assert len(scored) >= 10
        for words, above, seen in scored:
            assert re.fullmatch(r"vit -?[01]\.\d{4}\nsemantic -?[01]\.\d{4}", words)
            assert (above, seen) == ("caption", True)
        tab.look(360, 800)
        assert tab.evaluate("document.documentElement.scrollWidth") == 360
        for scheme in ("light", "dark"):
            tab.look(1200, 800, scheme)
            assert min(tab.evaluate(CONTRASTS)) >= 4.5


#: The contrast ratio (WCAG 2) of every element that holds text of its own, with what lies behind.
CONTRASTS = """
(() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(each => each / 255)
      .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = each => {
    for (; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.body.querySelectorAll("*")]
    .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
    .map(each => [light(getComputedStyle(each).color), light(behind(each))].sort((a, b) => b - a))
    .map(([a, b]) => (a + 0.05) / (b + 0.05));
})()
"""


def decoded(address):
    head, _, data = address.partition(",")
    assert head == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
