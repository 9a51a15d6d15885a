// Shows a question on top of the page instead of on a page of its own: `<a data-dialog href="…">`.
// Whatever goes wrong, the link still leads to the page.

const dialog = document.createElement("dialog");
document.body.append(dialog);

async function ask(href) {
  const response = await fetch(href, { headers: { "HX-Request": "true" } });
  if (!response.ok || response.redirected) throw new Error(`answered with ${response.status}`);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const content = page.querySelector("[data-dialog-content]");
  if (!content) throw new Error("there is nothing to show");
  dialog.replaceChildren(document.adoptNode(content));
  dialog.setAttribute("aria-labelledby", content.querySelector("h1").id);
  dialog.showModal();
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  try {
    await ask(link.href);
  } catch {
    location.assign(link.href);
  }
});

dialog.addEventListener("click", (event) => {
  const isCancel = event.target.closest("[data-dialog-cancel]");
  if (isCancel) event.preventDefault();
  if (isCancel || event.target === dialog) dialog.close();
});
