// `<button class="copy" data-copy="text">` or `data-copy-from="id"`: puts the words on the clipboard and says so.

const SAID_MS = 2000;

document.documentElement.dataset.scripted = ""; // the button shows only where it works

async function put(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Plain http on a site's own network: the old way is the only one.
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "hidden-text";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copyFrom);
  await put(source ? source.textContent.trim() : button.dataset.copy);
  const word = button.querySelector("[data-copy-word]");
  if ("copied" in button.dataset) return;
  const before = word.textContent;
  button.dataset.copied = "";
  word.textContent = button.dataset.wordDone;
  button.focus();
  setTimeout(() => {
    word.textContent = before;
    delete button.dataset.copied;
  }, SAID_MS);
});
