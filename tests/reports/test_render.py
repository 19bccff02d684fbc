import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personae.core import InputError, Measurement, Span, StorageError
from personae.reports import (
    BarChart,
    ConversationView,
    DataTable,
    Download,
    Downloads,
    Fold,
    IntervalChart,
    KeyFacts,
    MatrixChart,
    MeasurementTable,
    Notice,
    Page,
    Point,
    PromptView,
    Prose,
    PyramidChart,
    Said,
    ScatterChart,
    Section,
    Series,
    SideBySide,
    Turn,
    people_section,
    render_page,
    style_sheet,
    write_report,
)
from personae.reports._charts import bars_of, interval_groups, lines_of, matrix_of, pyramid_of, scatter_of

GOLDEN = Path(__file__).parent / "golden" / "page.html"
VOID = {"meta", "link", "br", "img", "input", "hr", "line", "circle", "rect", "path"}
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "[x](javascript:alert(1))",
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "**<b>**",
    "`</code><script>`",
)


class Tree(HTMLParser):
    """Tags with attributes, texts, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.mismatched: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.mismatched.append(tag)

    def handle_data(self, data):
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def one(*blocks) -> str:
    return render_page(Page("T", "", (Section("s", "S", blocks),)))


def normalised(html: str) -> str:
    body = re.sub(r"<style>.*?</style>", "<style></style>", html, flags=re.DOTALL)
    return "\n".join(line.strip() for line in body.splitlines() if line.strip()) + "\n"


def test_the_page_is_the_golden_page(sample_page: Page) -> None:
    text = normalised(render_page(sample_page))
    if os.environ.get("PERSONAE_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "look at the page, then run with PERSONAE_UPDATE_GOLDEN=1"


def test_the_same_page_gives_the_same_bytes(sample_page: Page) -> None:
    assert render_page(sample_page) == render_page(sample_page)


def test_nothing_is_fetched_and_nothing_runs(sample_page: Page) -> None:
    html = render_page(sample_page)
    tree = Tree(html)
    assert tree.named("script") == tree.named("img") == tree.named("iframe") == []
    for _, attrs in tree.tags:
        assert not any(name.startswith("on") for name in attrs)
        for name in ("src", "href", "srcset", "action", "xlink:href"):
            value = attrs.get(name)
            assert value is None or value.startswith(("#", "./", "data:,")), value
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\(|https?:", style_sheet())


def test_tags_are_balanced_ids_unique_and_references_resolve(sample_page: Page) -> None:
    tree = Tree(render_page(sample_page))
    assert tree.mismatched == []
    assert tree.open == []
    ids = [attrs["id"] for _, attrs in tree.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in tree.tags:
        if (target := attrs.get("aria-labelledby")) is not None:
            assert target in ids
        if (href := attrs.get("href") or "").startswith("#"):
            assert href[1:] in ids


def test_headings_do_not_skip_levels_and_tables_are_named(sample_page: Page) -> None:
    tree = Tree(render_page(sample_page))
    levels = [int(tag[1]) for tag, _ in tree.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    named = [i for i, (tag, _) in enumerate(tree.tags) if tag == "table"]
    for i in named:
        assert "aria-label" in tree.tags[i][1] or tree.tags[i + 1][0] == "caption"
    assert all("scope" in attrs for attrs in tree.named("th"))
    for attrs in tree.named("svg"):
        labelled = "aria-label" in attrs or "aria-hidden" in attrs
        assert labelled or attrs.get("class", "").startswith("marker") or "viewbox" in attrs


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    measure = Measurement(
        name="m",
        label=text,
        value=1.0,
        unit=text,
        n=2,
        cluster=text,
        method=text,
        seed=1,
        model=text,
        note=text,
        condition=text,
        validated=text,
        interval=Span(low=0.5, high=1.5, method=text),
    )
    blocks = (
        Prose(text),
        Said(text),
        KeyFacts({text: text}, title=text),
        MeasurementTable([measure], text),
        IntervalChart([measure], text),
        BarChart([text], [1.0], [2.0], text, text),
        PyramidChart([text], [1.0], [2.0], text, text, text, [1.0], [2.0]),
        MatrixChart([text], [text], [[0.5]], text, text),
        ScatterChart([Point(1, 2, text, text)], text, text, text),
        DataTable([text], [[text]], text, [text]),
        SideBySide(text, (ConversationView(text, (Turn(text, text, text, note=text, prompt=text),), (text,)),)),
        PromptView(text, text),
        Notice("warning", text),
        Downloads((Download(text, text),)),
        Fold(text, (Prose(text),)),
    )
    tree = Tree(render_page(Page(text, text, (Section("s", text, blocks, text),), {text: text})))
    assert tree.mismatched == []
    assert tree.named("script") == tree.named("img") == tree.named("b") == []
    assert not any(name.startswith("on") for _, attrs in tree.tags for name in attrs)
    assert all((a.get("href") or "#").startswith(("#", "./", "data:,")) for _, a in tree.tags)
    assert sum(text in t for t in tree.texts) >= 10


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80))
def test_any_text_can_be_written_and_keeps_the_page_whole(text: str) -> None:
    html = one(Said(text), PromptView(text, text), DataTable([text], [[text]], text))
    html.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", html)
    tree = Tree(html)
    assert tree.mismatched == []
    assert tree.open == []


def test_surrogates_and_control_characters_become_visible() -> None:
    html = one(Said("a\x00b\x1b[31m\ud800"))
    assert "a␀b␛[31m\ufffd" in html


def test_markdown_lite_knows_four_marks_and_no_more() -> None:
    html = one(Prose("One **two** *three* `f*o*ur`\n\n- a\n- b\n\n# five [six](http://x.example) 2 * 3 * 4 snake_case"))
    assert "<strong>two</strong> <em>three</em> <code>f*o*ur</code>" in html
    assert "<ul><li>a</li><li>b</li></ul>" in html
    assert "<p># five [six](http://x.example) 2 * 3 * 4 snake_case</p>" in html


def test_a_missing_value_shows_its_reason_and_no_zero() -> None:
    measure = Measurement(
        name="m",
        label="Omega",
        value=None,
        unit="ratio",
        n=3,
        cluster="people",
        method="none",
        seed=1,
        model="fake",
        reason="three people are too few",
    )
    html = one(MeasurementTable([measure]), IntervalChart([measure]))
    assert "Not computed: three people are too few" in html
    assert 'data-label="Value">–<' in html
    assert "<circle" not in html


def test_a_value_without_interval_says_why() -> None:
    measure = Measurement(
        name="m",
        label="Items",
        value=50.0,
        unit="items",
        n=1,
        cluster="instrument",
        method="count",
        seed=1,
        model="fake",
        reason="a count has no sampling error",
    )
    html = one(MeasurementTable([measure]), IntervalChart([measure]))
    assert "No interval: a count has no sampling error" in html
    assert "no interval: a count has no sampling error" in html


def test_controls_and_judged_numbers_say_so_in_words(recovered: list[Measurement]) -> None:
    html = one(MeasurementTable([recovered[0].model_copy(update={"validated": "unvalidated", "control": True})]))
    assert '<span class="badge">control</span>' in html
    assert ">unvalidated<" in html


def test_mixed_levels_are_written_in_every_row(recovered: list[Measurement]) -> None:
    other = recovered[0].model_copy(update={"interval": Span(low=0.1, high=0.6, level=0.9, method="t")})
    html = one(MeasurementTable([recovered[1], other]))
    assert ">Interval<" in html
    assert "0.10 to 0.60 (90 %)" in html


def drawn_numbers(html: str) -> list[str]:
    """Texts of the marks, which must all stand in the table too."""
    return re.findall(r"<(?:circle|rect|svg)[^>]*><title>(.*?)</title>", html)


def test_every_chart_has_a_table_with_the_same_numbers(charts, recovered) -> None:
    chart = charts["interval"]
    html = one(chart)
    for mark in (m for group in interval_groups(chart) for m in group.marks if m.at):
        assert f"{mark.label}: {mark.value} ({mark.interval})" in drawn_numbers(html)
        assert f">{mark.value}</td>" in html
        assert f">{mark.interval}</td>" in html
    html = one(charts["scatter"])
    assert len(drawn_numbers(html)) == len(charts["scatter"].points)
    for row, title in zip(scatter_of(charts["scatter"]).rows, drawn_numbers(html), strict=True):
        assert title == f"{row[0]}, {row[1]}: {row[2]}, {row[3]}"
        assert f'<th scope="row">{row[0]}</th><td>{row[1]}</td><td class="num">{row[2]}</td>' in html
    html = one(charts["line"])
    for row, title in zip(lines_of(charts["line"]).rows, drawn_numbers(html), strict=True):
        assert title == f"{row[0]}, {row[1]}: {row[2]} ({row[3]})"
        assert f'<td class="num">{row[2]}</td><td class="num">{row[3]}</td>' in html
    bars = BarChart(["a", "b"], [12.5, 30.0], [20.0, 22.5], "Shares", "% of people", [5, 12])
    html = one(bars)
    for bar in bars_of(bars).bars:
        assert f"{bar.category}: {bar.observed} % of people, target {bar.target} % of people" in drawn_numbers(html)
        assert f">{bar.observed}</td>" in html
        assert f">{bar.difference}</td>" in html


def test_a_pyramid_grows_from_the_middle_and_has_the_oldest_on_top() -> None:
    chart = PyramidChart(["young", "old"], [10.0, 20.0], [5.0, 20.0], "Women", "Men", "Age", [10.0, 18.0], [6.0, 20.0])
    rows = pyramid_of(chart)
    assert [r.band for r in rows] == ["old", "young"]
    widths = [(float(r.left_width[:-1]), float(r.right_width[:-1])) for r in rows]
    assert widths[0][0] == pytest.approx(2 * widths[1][0], abs=0.02)
    assert widths[0][1] == pytest.approx(4 * widths[1][1], abs=0.02)
    for row in rows:
        assert float(row.left_x[:-1]) + float(row.left_width[:-1]) == pytest.approx(100)
    assert float(str(rows[1].left_target)[:-1]) == pytest.approx(float(rows[1].left_x[:-1]), abs=0.02)
    html = one(chart)
    assert "young: Women 10 %, Men 5 %" in drawn_numbers(html)
    with pytest.raises(InputError, match="1 left values for 2 bands"):
        PyramidChart(["a", "b"], [1.0], [1.0, 2.0], "l", "r", "c")


def test_matrix_cells_are_darkest_at_the_largest_and_blank_where_nothing_is() -> None:
    chart = MatrixChart(["a", "b"], ["a", "b"], [[1.0, -0.5], [0.25, None]], "V")
    cells = dict(matrix_of(chart))
    assert [(c.text, c.shade, c.sign) for c in cells["a"]] == [("1.00", 45, 1), ("\u22120.50", 22, -1)]
    assert cells["b"][1].text == ""
    assert "--shade: 45%" in one(chart)
    with pytest.raises(InputError, match="2 rows of 2"):
        MatrixChart(["a", "b"], ["a", "b"], [[1.0, 2.0]], "V")


def test_marks_lie_where_their_axis_says(recovered) -> None:
    group = interval_groups(IntervalChart(recovered))[0]
    place = {t.label.replace("−", "-"): float(t.at.rstrip("%")) for t in group.ticks}
    unit = (place["0.50"] - place["0.00"]) / 0.5
    for mark, m in zip(group.marks, recovered, strict=True):
        if m.value is not None:
            assert float(mark.at.rstrip("%")) == pytest.approx(place["0.00"] + unit * m.value, abs=0.02)
            assert float(mark.low.rstrip("%")) <= float(mark.at.rstrip("%")) <= float(mark.high.rstrip("%"))
    assert float(group.reference.rstrip("%")) == pytest.approx(place["0.00"], abs=0.02)


def test_units_do_not_share_an_axis(recovered) -> None:
    other = recovered[0].model_copy(update={"unit": "points"})
    assert [g.unit for g in interval_groups(IntervalChart([*recovered, other]))] == ["correlation", "points"]


def test_a_gap_in_the_data_is_a_gap_in_the_line(charts) -> None:
    line = charts["line"]
    series = Series("s", range(5), [1.0, 2.0, None, 3.0, 4.0], [0.5, 1, None, 2, 3], [1.5, 3, None, 4, 5])
    drawn = lines_of(type(line)([series], "x", "y", "c")).lines[0]
    assert len(drawn.paths) == len(drawn.bands) == 2
    assert len(drawn.marks) == 4


def test_links_lead_only_to_files_beside_the_report() -> None:
    html = one(
        Downloads(
            (Download("a b?#.csv"), Download("javascript:x"), Download("/etc/x"), Download("C:\\x"), Download("//h/x"))
        )
    )
    assert re.findall(r'href="(\./[^"]*)"', html) == ["./a%20b%3F%23.csv", "./javascript%3Ax"]
    assert "<code>/etc/x</code>" in html


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="2 cells for 1 columns"):
        DataTable(["a"], [[1, 2]], "c")
    with pytest.raises(InputError, match="1 prompts for 2 rows"):
        DataTable(["a"], [[1], [2]], "c", ["p"])
    with pytest.raises(InputError, match="1 target values for 2"):
        BarChart(["a", "b"], [1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="2 x for 1 y"):
        Series("s", [1, 2], [1])
    with pytest.raises(InputError, match="1 low and 0 high"):
        Series("s", [1], [1], [1])
    with pytest.raises(InputError, match="used twice"):
        render_page(Page("T", "", (Section("a", "A", ()), Section("a", "B", ()))))
    with pytest.raises(InputError, match="'A b'"):
        render_page(Page("T", "", (Section("A b", "A", ()),)))


def test_a_report_is_written_whole_or_not_at_all(sample_page: Page, tmp_path: Path) -> None:
    path = write_report(sample_page, tmp_path / "report" / "index.html")
    assert path.read_text(encoding="utf-8") == render_page(sample_page)
    assert [p.name for p in path.parent.iterdir()] == ["index.html"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        write_report(sample_page, tmp_path / "file" / "index.html")


def test_light_dark_and_print_hold_the_same_tokens_with_enough_contrast() -> None:
    css = style_sheet()
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    light, dark, printed = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks)
    assert light.keys() == dark.keys() == printed.keys()
    for tokens in (light, dark, printed):
        for paper in ("paper", "wash", "wash-2"):
            for ink in ("ink", "ink-2", "accent", "warn", "limit"):
                assert ratio(tokens[paper], tokens[ink]) >= 4.5, (paper, ink)
        for mark in ("c0", "c1", "c2", "c3", "c4", "c5", "rule-strong"):
            assert ratio(tokens["paper"], tokens[mark]) >= 3, mark
    used = set(re.findall(r"var\(--([\w-]+)", css))
    defined = set(re.findall(r"--([\w-]+):", css))
    assert used <= defined


def ratio(one: str, two: str) -> float:
    def luminance(text: str) -> float:
        parts = [int(text[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_a_hostile_person_stays_text(hostile_person) -> None:
    tree = Tree(render_page(Page("T", "", (people_section([hostile_person], []),))))
    assert tree.named("script") == tree.named("img") == []
    assert any("<script>alert(1)</script>" in text for text in tree.texts)
