"""A release: what it refuses, what it holds, and that the workflow's steps do what they say."""

import re
import subprocess
import zipfile

import chromium
import pytest
import release
import yaml
from notebook_kinds import ROOT

TAG = f"v{release.colab.version()}"
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
RUNS = [step["run"] for step in WORKFLOW["jobs"]["release"]["steps"] if "run" in step]


@pytest.mark.parametrize(
    ("repository", "tag", "said"),
    [
        ("owner", TAG, "REPOSITORY must be owner/name. Received: REPOSITORY=owner"),
        ("owner/name", "v9.9.9", f"TAG must be {TAG}, "),
        ("owner/name", TAG.removeprefix("v"), f"TAG must be {TAG}, "),
        ("owner/name", "", f"TAG must be {TAG}, "),
    ],
)
def test_a_wrong_release_is_refused_before_anything_is_built(repository, tag, said, capsys):
    assert release.main(["--repository", repository, "--tag", tag]) == 1
    assert capsys.readouterr().err.startswith(said)


def test_a_version_that_the_changelog_does_not_know_is_refused(monkeypatch):
    monkeypatch.setattr(release, "notes", lambda tag: "")
    assert "must have a section ## [" in release.refusal("owner/name", TAG)


def test_the_notes_are_the_changelogs_section_and_no_other():
    notes = release.notes(TAG)
    assert notes.startswith("The second edition.") and "## [" not in notes
    assert release.notes("v9.9.9") == ""


def test_the_workflow_releases_where_it_runs():
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}  # YAML reads `on` as a truth value
    assert RUNS[0] == 'make release PYTHON=python REPOSITORY="$REPOSITORY" TAG="$TAG"'
    assert f"colab-{TAG}" == release.branch(TAG)
    assert all('"colab-$TAG"' in line for line in RUNS[1].splitlines() if "switch" in line)
    (what,) = re.findall(r"build/release/\S+(?: build/release/\S+)*", RUNS[2])[:1]
    assert what == "build/release/*.zip build/release/*.whl"


def test_the_colab_edition_is_committed_on_top_of_the_tag(tmp_path):
    def git(*words, cwd=tmp_path / "clone"):
        done = subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=True)
        return done.stdout.split()

    git("init", "--quiet", "--bare", "origin", cwd=tmp_path)
    git("clone", "--quiet", "origin", "clone", cwd=tmp_path)
    (tmp_path / "clone/README.md").write_text("words\n")
    (tmp_path / "clone/.gitignore").write_text("build/\n")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "--quiet", "-m", "first")
    git("tag", "v1.0")
    git("checkout", "--quiet", "v1.0")
    made = tmp_path / "clone/build/colab/lessons/01_a.ipynb"
    made.parent.mkdir(parents=True)
    made.write_text("{}")
    environment = {"TAG": "v1.0", "PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-ec", RUNS[1]], cwd=made.parents[3], env=environment, check=True)
    assert git("ls-tree", "-r", "--name-only", "origin/colab-v1.0") == [
        ".gitignore", "README.md", "colab/lessons/01_a.ipynb",
    ]  # fmt: skip
    assert git("rev-parse", "origin/colab-v1.0^") == git("rev-parse", "v1.0")


@pytest.mark.slow
@pytest.mark.skipif(chromium.found() is None, reason=chromium.MISSING)
def test_a_release_holds_all_of_it(monkeypatch):
    # The tests of the site look at build/site at the same time.
    monkeypatch.setattr(release.book, "SITE", "build/release-site")
    monkeypatch.setattr(release.book, "SOURCE", "build/release-site-source")
    assert release.main(["--repository", "owner/name", "--tag", TAG]) == 0
    folder = ROOT / release.FOLDER
    held = {}
    for name in ("site", "slides", "colab"):
        with zipfile.ZipFile(folder / f"{name}.zip") as archive:
            held[name] = set(archive.namelist())
            if name == "site":
                index = archive.read("index.html").decode()
    decks = ("04_plain_vs_residual/index.html", "04_plain_vs_residual/slides.pdf")
    assert {"index.html", release.book.BOOK, f"slides/{decks[0]}"} <= held["site"]
    assert set(decks) <= held["slides"]
    assert "exercises/02_residual_learning_exercises.ipynb" in held["colab"]
    assert 'content="https://owner.github.io/name/index.html"' in index
    text = (ROOT / "build/colab/lessons/00_start_here.ipynb").read_text("utf-8")
    assert f"github/owner/name/blob/colab-{TAG}/colab/" in text
    assert list(folder.glob("resnet_lesson-*.whl"))
    assert (folder / "notes.md").read_text("utf-8") == release.notes(TAG)
