// Short words about what just happened, in the region marked `data-toasts`.
//
// toast("Saved", "success")     from another module; levels: success, warning, error, or none
//
// A toast leaves after a while, an error stays until it is closed, and none leaves while it is pointed at.

const STAY_MS = 6000;

export function toast(text, level = "") {
  const region = document.querySelector("[data-toasts]");
  if (!region) return null;
  const element = document.createElement("div");
  element.className = level ? `toast toast--${level}` : "toast";
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "toast__close";
  close.textContent = "×";
  close.setAttribute("aria-label", region.dataset.wordClose);
  close.addEventListener("click", () => element.remove());
  element.append(words, close);
  region.append(element);
  if (level !== "error") leaveLater(element);
  return element;
}

function leaveLater(element) {
  setTimeout(() => {
    if (element.matches(":hover, :focus-within")) leaveLater(element);
    else element.remove();
  }, STAY_MS);
}


document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-toast]");
  if (button) toast(button.dataset.toast, button.dataset.toastLevel);
});
