// Follows what the person's machine prefers: light or dark.
"use strict";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function follow() {
  document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light";
}
dark.addEventListener("change", follow);
follow();
