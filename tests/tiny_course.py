"""A course of a few lines, for the tests of what is made from its sources."""

TINY = "# %% [markdown]\n# # Tiny\n\n# %%\nprint({})\n"


def tiny_course(root, **sources):
    """Write a package of one line and the given sources, named as in notebooks/src; return root."""
    package = root / "resnet_lesson" / "__init__.py"
    texts = {root / "notebooks" / "src" / f"{name}.py": text for name, text in sources.items()}
    for path, text in {package: "VALUE = 1\n", **texts}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
