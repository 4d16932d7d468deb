// The pictures are drawn beforehand: a slider chooses which of them is seen.
{
  const box = document.getElementById("explore-/* name */");
  const frames = JSON.parse(box.querySelector("script").textContent);
  const sliders = [...box.querySelectorAll("input")];
  // It takes the place of the cell's first picture; where that is out of reach, it stands below.
  const outputs = box.closest(".cell_output, .jp-OutputArea");
  const picture = outputs?.querySelector("img") ?? box.appendChild(new Image());

  const move = () => {
    let at = 0;
    for (const slider of sliders) {
      at = at * (Number(slider.max) + 1) + Number(slider.value);
      const value = JSON.parse(slider.dataset.values)[slider.value];
      slider.setAttribute("aria-valuetext", value);
      slider.nextElementSibling.textContent = value;
    }
    const [source, alt] = frames[at];
    picture.src = `data:image/webp;base64,${source}`;
    picture.alt = alt;
    picture.width = /* width */;
    picture.style.maxWidth = "100%";
  };
  for (const slider of sliders) {
    slider.addEventListener("input", move);
    // In JupyterLab the arrow keys would go to the notebook.
    slider.addEventListener("keydown", (event) => event.stopPropagation());
  }
  box.hidden = false;
}
