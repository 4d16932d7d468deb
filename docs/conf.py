"""The site's configuration for Sphinx. `make site` stages this folder beside the notebooks."""

import re

from sphinx.search.en import SearchEnglish

project = "Residual networks, tested"
author = "the authors of the course"
copyright = "Text and figures: CC BY 4.0. Code: MIT"

extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinxext.opengraph"]
mathjax_path = "mathjax/es5/tex-svg.js"  # in _static, so that formulas need no network
nb_execution_mode = "off"  # the notebooks are committed with their outputs
nb_merge_streams = True
nb_render_markdown_format = "myst"  # of the outputs, which have tables
myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_theme_options = {
    "show_toc_level": 2,
    "use_download_button": True,
    "navbar_persistent": [],  # one search field is enough
    "home_page_in_toc": True,
    "navigation_with_keys": False,  # the arrow keys belong to the quizzes
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# What a chat shows of a link to a page. Only `make site REPOSITORY=...` knows the site's address.
ogp_image = "_images/00_start_here.png"
ogp_image_alt = "Training loss of three networks: only the deep one without additions stays high."
ogp_custom_meta_tags = ['<meta name="twitter:card" content="summary_large_image">']
ogp_social_cards = {"enable": False}  # pictures of titles, a minute's work
html_show_sphinx = False
html_last_updated_fmt = None
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system has it
# What is folded up on the site is an answer.
nb_code_prompt_show = "Show the answer"
nb_code_prompt_hide = "Hide the answer"


class WithChinese(SearchEnglish):
    """English, and each pair of neighbours in Chinese text, which has no spaces between its words.

    The search itself finds what has three characters and more inside what stands between two marks.
    """

    def split(self, input):
        pairs = re.findall(r"(?=([\u4e00-\u9fff]{2}))", input)
        return [*super().split(input), *pairs]


def setup(app):
    app.add_search_language(WithChinese)
