// What htmx could not do is told in words where everybody sees it, with the answer's reference.

import { toast } from "./toast.js";

function wordsFor(detail) {
  const { wordFailed, wordRefused, wordUnreachable, wordReference } =
    document.querySelector("[data-toasts]")?.dataset ?? {};
  const status = detail.xhr?.status ?? 0;
  if (!status) return wordUnreachable;
  const reference = detail.xhr.getResponseHeader("X-Reference");
  const sentence = status === 401 || status === 403 ? wordRefused : wordFailed;
  return reference ? `${sentence} ${wordReference} ${reference}` : sentence;
}

for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => toast(wordsFor(event.detail), "error"));
}
