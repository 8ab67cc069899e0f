// What makes the pages nicer; all of them work without it.
import { watchCrop } from "./crop.js";

const form = document.querySelector("form.search");
const picker = document.querySelector("#image");
const drop = document.querySelector(".drop");

function searchBy(file) {
  if (!form || !file || !file.type.startsWith("image/")) return;
  const files = new DataTransfer();
  files.items.add(file);
  picker.files = files.files;
  form.requestSubmit();
}

function imageOf(items) {
  return [...(items ?? [])].find((item) => item.kind === "file" && item.type.startsWith("image/"))?.getAsFile();
}

if (form) {
  picker.addEventListener("change", () => picker.files.length && form.requestSubmit());
  form.addEventListener("submit", () => form.classList.add("busy"));
  form.querySelector("[name=balance]")?.addEventListener("change", () => form.requestSubmit());
  addEventListener("pageshow", () => form.classList.remove("busy"));
  document.addEventListener("paste", (event) => searchBy(imageOf(event.clipboardData?.items)));
  document.addEventListener("dragover", (event) => {
    if ([...event.dataTransfer.types].includes("Files")) {
      event.preventDefault();
      drop.hidden = false;
    }
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && (drop.hidden = true));
  document.addEventListener("drop", (event) => {
    drop.hidden = true;
    if (event.dataTransfer.files.length) {
      event.preventDefault();
      searchBy(event.dataTransfer.files[0]);
    }
  });
}

// A wide screen has room for what a phone opens by hand.
if (matchMedia("(min-width: 60rem)").matches) document.querySelector(".facets details")?.setAttribute("open", "");

watchCrop(document.querySelector(".cropper"), form);

// Further pages are put below the first as it is scrolled to its end; the links stay where there are none.
const pages = document.querySelector(".pages");
if (pages && "IntersectionObserver" in window) {
  let busy = false;
  const watcher = new IntersectionObserver(async ([seen]) => {
    const next = pages.querySelector("[rel=next]");
    if (!seen.isIntersecting || busy || !next) return;
    busy = true;
    try {
      const answer = await fetch(next.href);
      if (!answer.ok) return watcher.disconnect();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const lists = document.querySelectorAll("[data-results]");
      const target = lists[lists.length - 1];
      if (!target) return watcher.disconnect();
      const weak = page.querySelector(".weak");
      page.querySelectorAll(document.querySelector(".weak") ? "[data-results] > li" : ".found > [data-results] > li")
        .forEach((item) => target.append(document.adoptNode(item)));
      // The first weak ones bring their line and heading along.
      if (weak && !document.querySelector(".weak")) pages.before(document.adoptNode(weak));
      const after = page.querySelector(".pages [rel=next]");
      if (after) next.replaceWith(document.adoptNode(after));
      else next.remove();
    } finally {
      busy = false;
    }
  }, { rootMargin: "600px" });
  watcher.observe(pages);
}
