"""The site, built from the committed notebooks and looked at in a real browser."""

import re
from pathlib import Path

import book
import browser
import nbformat
import pytest
from build_notebooks import ROOT, pairs

pytestmark = pytest.mark.slow
LESSONS = [pair.source.stem for pair in pairs() if not pair.edition]
PAGES = ["index.html", "glossary.html", "references.html", "instructors.html"] + [
    pair.target.relative_to(ROOT).with_suffix(".html").as_posix() for pair in pairs()
]
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def site():
    assert book.main([]) == 0
    with browser.served(ROOT / book.SITE) as address:
        yield address


@pytest.fixture(scope="module")
def light(chromium, site):
    return browser.Watched(chromium, site)


@pytest.fixture(scope="module")
def dark(chromium, site):
    return browser.Watched(chromium, site, dark=True)


@pytest.fixture(scope="module")
def phone(chromium, site):
    return browser.Watched(chromium, site, width=320, height=640)


def violations(page):
    """Return what axe finds that is serious."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = {"resultTypes": ["violations"]}
    found = axe.run(page, options=options).response["violations"]
    return [
        (one["id"], [node["html"][:150] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_without_an_error_and_without_the_network(light, path):
    light.errors.clear()
    light.outside.clear()
    page = light.go(path)
    assert (light.errors, light.outside) == ([], [])
    assert page.locator("mjx-merror").count() == 0
    if path.startswith("notebooks/") and "$" in text_of(path):
        assert page.locator("mjx-container").count() > 0
    assert page.locator("img:not([alt])").count() == 0
    assert not re.search(r"\| ?:?(--|—)|\$\$|\\frac", page.locator("main").inner_text())
    assert violations(page) == []


def text_of(path):
    nb = nbformat.read(ROOT / Path(path).with_suffix(".ipynb"), as_version=4)
    return "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", PAGES)
def test_no_serious_violation_in_the_dark(dark, path):
    assert violations(dark.go(path)) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_narrow_page_does_not_scroll_sideways(phone, path):
    page = phone.go(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_search_finds_the_bottleneck(light):
    page = light.go("search.html?q=bottleneck")
    page.wait_for_selector("#search-results li")
    assert "Bottleneck block" in page.locator("#search-results").inner_text().replace("The b", "B")


def test_a_quiz_answers(light):
    page = light.go("notebooks/02_residual_learning.html")
    button = page.locator(".Quiz .MCButton").first
    button.click()
    feedback = page.locator(".Quiz .Feedback").first
    assert re.match(r"(Right|Not so)\. ", feedback.inner_text())


def test_a_quiz_is_answered_by_the_keyboard(light):
    page = light.go("notebooks/02_residual_learning.html")
    page.locator(".Quiz input[type=radio]").first.focus()
    page.keyboard.press("Space")
    assert page.locator(".Quiz .Feedback").first.inner_text().strip()


def test_hints_unfold(light):
    page = light.go("notebooks/exercises/02_residual_learning.html")
    hint = page.locator("details", has_text="The answer is a function").first
    assert not hint.locator("p").first.is_visible()
    hint.locator("summary").click()
    assert hint.locator("p").first.is_visible()


def test_an_answer_is_behind_one_click(light):
    page = light.go("notebooks/solutions/02_residual_learning.html")
    answer = page.get_by_text("return lambda x: H(x) - x").first
    assert not answer.is_visible()
    page.locator("details.hide summary").first.click()
    assert page.get_by_text("lambda").first.is_visible()


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


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_can_be_downloaded_and_left_for_the_next(light, lesson):
    page = light.go(f"notebooks/{lesson}.html")
    links = page.evaluate("[...document.querySelectorAll('a')].map((a) => a.href)")
    assert any(link.endswith(f"{lesson}.ipynb") for link in links)
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
