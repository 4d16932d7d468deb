"""The site, built from the committed notebooks and looked at in a real browser."""

import re

import book
import browser
import nbformat
import notices
import pytest
from notebook_kinds import LESSON, ROOT, notebooks

from resnet_lesson import quizzes

pytestmark = pytest.mark.slow
COURSE = {f"notebooks/{made.name}.html": made for made in notebooks()}
OWN = [
    "paths",
    "summary",
    "microscope",
    "zh",
    "sheets",
    "glossary",
    "references",
    "verdicts",
    "instructors",
    "troubleshooting",
    "benchmarks",
    "licences",
]
LESSONS = [made for made in notebooks() if made.kind is LESSON]
HANDOUTS = {f"handouts/{made.stem}.html": made for made in LESSONS}
PAGES = ["index.html", *(f"{name}.html" for name in OWN), *COURSE, *HANDOUTS]
each_page = pytest.mark.parametrize("path", PAGES)
SERIOUS = {"serious", "critical"}
COLOURS = ["color-contrast", "link-in-text-block"]  # all else is the same in the dark


@pytest.fixture(scope="module")
def site():
    assert book.main([]) == 0
    with browser.served(ROOT / book.SITE) as address:
        yield address


@pytest.fixture(scope="module")
def light(chromium, site):
    return browser.Watched(chromium, site)


def violations(page, **options):
    """Return what axe finds that is serious."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options["resultTypes"] = ["violations"]
    found = axe.run(page, options=options).response["violations"]
    return [
        (one["id"], [node["html"][:150] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in SERIOUS
    ]


@each_page
def test_a_page_loads_without_an_error_and_without_the_network(light, path):
    light.errors.clear()
    light.outside.clear()
    page = light.go(path)
    assert (light.errors, light.outside) == ([], [])
    assert page.locator("mjx-merror").count() == 0
    assert page.locator('meta[property="og:description"]').get_attribute("content")
    if path in COURSE and "$" in text_of(path):
        assert page.locator("mjx-container").count() > 0
    assert page.locator("img:not([alt])").count() == 0
    assert not re.search(r"\| ?:?(--|—)|\$\$|\\frac", page.locator("main").inner_text())
    assert violations(page) == []


def text_of(path):
    nb = nbformat.read(COURSE[path].path, as_version=4)
    return "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


@pytest.fixture(scope="module")
def others(chromium, site):
    """The site as it is seen in the dark, and on a narrow screen."""
    phone = browser.Watched(chromium, site, width=320, height=640)
    return browser.Watched(chromium, site, dark=True), phone


@each_page
def test_a_page_is_good_in_the_dark_and_does_not_scroll_sideways_where_it_is_narrow(others, path):
    dark, phone = others
    assert violations(dark.go(path), runOnly=COLOURS) == []
    assert phone.go(path).evaluate("document.documentElement.scrollWidth") <= 320


def test_on_a_phone_a_figure_of_several_panels_is_moved_sideways_instead_of_made_small(others):
    _, phone = others
    figure = phone.go("notebooks/04_plain_vs_residual.html").locator("img.panels").first
    assert figure.bounding_box()["width"] > 600
    assert figure.evaluate("img => img.closest('.cell_output').scrollWidth") > 600


# What others wrote: where it lies, and the name under which docs/licences.md has it.
OWNERS = {
    r"mathjax/": "MathJax",
    r"vendor/fontawesome/|scripts/fontawesome": "Font Awesome Free",
    r"scripts/bootstrap": "Bootstrap",
    r"(scripts|styles)/(pydata-sphinx-theme|theme)": "PyData Sphinx Theme",
    r"(scripts|styles)/sphinx-book-theme": "Sphinx Book Theme",
    r"(mystnb|pygments)": "MyST-NB",
    r"\w+-stemmer": "Snowball",
    r"(basic|doctools|documentation_options|language_data|searchtools)\.": "Sphinx",
    r"sphinx_highlight\.|locales/|searchindex": "Sphinx",
    r"course\.css": "code",
}


def test_all_that_others_wrote_is_named_with_its_licence(site):
    static = ROOT / book.SITE / "_static"
    carried = [
        p for p in static.rglob("*") if p.suffix in (".js", ".css", ".woff", ".woff2", ".ttf")
    ]
    assert len(carried) > 10
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    for path in (path.relative_to(static).as_posix() for path in carried):
        owners = [name for where, name in OWNERS.items() if re.match(where, path)]
        assert owners and owners[0] in page, path
    for package in notices.SITE:
        assert "opyright" in (static / "licences" / f"{package}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", HANDOUTS)
def test_a_handout_is_one_page_of_paper(light, path):
    light.page.goto(f"{light.address}/{path}")
    printed = light.page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    text = light.page.locator("article").inner_text()
    made = HANDOUTS[path]
    exercise = made.root / "notebooks" / "exercises" / made.path.name
    if exercise.exists():
        titles = re.findall(r"## Exercise \d+: (\S+)", exercise.read_text(encoding="utf-8"))
        assert titles and all(title.strip("`") in text for title in titles)


def test_search_finds_the_bottleneck(light):
    page = light.go("search.html?q=bottleneck")
    page.wait_for_selector("#search-results li")
    assert "Bottleneck block" in page.locator("#search-results").inner_text().replace("The b", "B")


FROM_DISK = [
    "index.html",
    "zh.html",
    "notebooks/04_plain_vs_residual.html",
    "notebooks/deeper/02_scaled_shortcuts.html",
    "slides/05_inside_the_network/index.html",
]


@pytest.mark.parametrize("path", FROM_DISK)
def test_the_site_opens_from_the_disk(chromium, site, path):
    watched = browser.Watched(chromium, (ROOT / book.SITE).as_uri())
    watched.go(path)
    assert (watched.errors, watched.outside) == ([], [])
    watched.context.close()


@pytest.mark.parametrize("words", ["捷径", "瓶颈残差块"])
def test_search_finds_chinese(light, words):
    page = light.go(f"search.html?q={words}")
    page.wait_for_selector("#search-results li")
    assert "Glossary" in page.locator("#search-results").inner_text()


def test_sliders_move_without_a_kernel(light):
    page = light.go("notebooks/deeper/00_primer.html")
    window = page.get_by_label("row")
    window.focus()
    page.keyboard.press("ArrowRight")
    moved = page.locator(".cell_output:has(#explore-sliding) img").first
    assert moved.get_attribute("src").startswith("data:image/webp")
    assert window.get_attribute("aria-valuetext") == "2"


def test_the_summary_has_a_figure_of_each_lesson(light):
    page = light.go("summary.html")
    linked = page.locator("h2:has(a.reference)").count()
    assert linked == page.locator("img.summary-figure").count() == len(LESSONS)


def test_the_lessons_are_printed_as_a_book(chromium, site):
    printed = book.print_book(chromium).read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 200
    assert b"/Outlines" in printed


def test_a_quiz_is_answered_by_a_click_and_by_the_keyboard(light):
    page = light.go("notebooks/02_residual_learning.html")
    quiz = page.locator(".Quiz")
    feedback = quiz.locator(".Feedback").first
    quiz.locator(".MCButton").first.click()
    first = quizzes.read("02")[0]["options"][0]
    told = quizzes.RIGHT * ("right" in first) + first["why"]
    assert feedback.inner_text().split() == told.split()
    light.go("notebooks/02_residual_learning.html")
    quiz.locator("input[type=radio]").first.focus()
    page.keyboard.press("Space")
    assert feedback.inner_text().strip()


def test_hints_unfold(light):
    page = light.go("notebooks/exercises/02_residual_learning.html")
    hint = page.locator("details", has_text="Draw the block").first
    assert not hint.locator("p").first.is_visible()
    hint.locator("summary").click()
    assert hint.locator("p").first.is_visible()


def test_an_answer_is_behind_one_click(light):
    page = light.go("notebooks/solutions/02_residual_learning.html")
    answer = page.locator("details.hide").first
    assert not answer.locator("pre").is_visible()
    answer.locator("summary").click()
    assert "hidden = layers.Dense" in answer.locator("pre").inner_text()


def test_the_keyboard_reaches_everything(light):
    page = light.go("notebooks/exercises/02_residual_learning.html")
    wanted = page.evaluate(
        """() => [...document.querySelectorAll("main a[href], main summary")]
        .filter((e) => e.offsetParent && !e.matches(".headerlink")).length"""
    )
    reached = set()
    for _ in range(400):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                """() => { const e = document.activeElement;
                if (!e.closest("main") || !e.matches("a[href], summary")) { return null; }
                e.dataset.reached ??= String(Math.random()); return e.dataset.reached; }"""
            )
        )
    assert wanted > 5 and len(reached - {None}) >= wanted


@pytest.mark.parametrize("path", [path for path, made in COURSE.items() if made.kind.closing])
def test_a_lesson_can_be_downloaded_and_left_for_the_next(light, path):
    page = light.go(path)
    links = page.evaluate("[...document.querySelectorAll('a')].map((a) => a.href)")
    assert any(link.endswith(COURSE[path].path.name) for link in links)
    assert page.locator("a.right-next, a.left-prev").count() == 2


def test_a_broken_link_stops_the_build_and_the_old_site_stays(site, tmp_path, monkeypatch, capfd):
    real = ROOT / book.SITE / "index.html"
    before = real.read_text()
    monkeypatch.setattr(book, "SOURCE", str(tmp_path / "source"))
    monkeypatch.setattr(book, "SITE", str(tmp_path / "site"))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "conf.py").write_text("extensions = ['myst_nb']\n")
    (tmp_path / "source" / "index.md").write_text("# A\n\n[b](nowhere.md)\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("old")
    assert book.build(ROOT) == 1
    assert (tmp_path / "site" / "index.html").read_text() == "old"
    assert "The site was not built" in capfd.readouterr().err
    assert real.read_text() == before
