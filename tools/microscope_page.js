
// -- On the site ----------------------------------------------------------------------------------
//
// What a notebook's kernel gives the microscope, the page has in inline blocks, as base64. Its
// state stands in the address.

{
  const block = (name) => document.querySelector(`script[data-microscope="${name}"]`);
  const decoded = (name) =>
    Uint8Array.from(atob(block(name).textContent.trim()), (letter) => letter.charCodeAt(0));
  const el = document.getElementById("microscope");
  const values = {
    address: true, state: el.dataset.state, networks: decoded("networks"), digits: decoded("digits"),
  };
  const heard = {};
  const model = {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      if (name === "race_wanted") {  // only now, for they are many
        values.race_digits = decoded("race_digits");
        for (const tell of heard["change:race_digits"] ?? []) { setTimeout(tell, 0); }
      }
    },
    save_changes() {},
    on(event, tell) { (heard[event] ??= []).push(tell); },
    off(event, tell) { heard[event] = (heard[event] ?? []).filter((one) => one !== tell); },
  };
  el.replaceChildren();
  render({ model, el });
}
