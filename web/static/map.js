// The map of the catalog: moved by dragging or arrows, enlarged by wheel, pinch or + and -, opened by a click or Enter.
const figure = document.querySelector(".map");
const picture = figure?.querySelector("svg");
if (picture) {
  const [, , width, height] = picture.getAttribute("viewBox").split(" ").map(Number);
  const near = figure.querySelector(".near");
  const points = [...picture.querySelectorAll("a")].map((link) => {
    const dot = link.querySelector("circle");
    return { link, dot, x: Number(dot.getAttribute("cx")), y: Number(dot.getAttribute("cy")), title: link.querySelector("title").textContent };
  });
  const PHOTOS = 60;
  const MOST_ZOOM = 16;
  let view = { x: 0, y: 0, zoom: 1 };
  let chosen = null;

  const show = () => {
    view.zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom));
    const wide = width / view.zoom, high = height / view.zoom;
    view.x = Math.min(width - wide, Math.max(0, view.x));
    view.y = Math.min(height - high, Math.max(0, view.y));
    picture.setAttribute("viewBox", `${view.x} ${view.y} ${wide} ${high}`);
    picture.style.setProperty("--zoom", view.zoom);
    const seen = points.filter((p) => p.x >= view.x && p.x <= view.x + wide && p.y >= view.y && p.y <= view.y + high);
    // Few enough to be looked at are shown as what they are.
    const photos = new Set(view.zoom > 1 && seen.length <= PHOTOS ? seen : []);
    points.forEach((point) => pictured(point, photos.has(point)));
  };
  const pictured = (point, wanted) => {
    const side = 64 / view.zoom;
    if (wanted && !point.photo && point.link.dataset.photo) {
      point.photo = document.createElementNS(picture.namespaceURI, "image");
      point.photo.setAttribute("href", point.link.dataset.photo);
      point.link.append(point.photo);
    }
    if (!point.photo) return;
    point.photo.toggleAttribute("hidden", !wanted);
    if (wanted) Object.entries({ x: point.x - side / 2, y: point.y - side / 2, width: side, height: side }).forEach(([name, value]) => point.photo.setAttribute(name, value));
  };
  const zoom = (by, x = view.x + width / view.zoom / 2, y = view.y + height / view.zoom / 2) => {
    const before = view.zoom;
    view.zoom = Math.min(MOST_ZOOM, Math.max(1, before * by));
    view.x = x - ((x - view.x) * before) / view.zoom;
    view.y = y - ((y - view.y) * before) / view.zoom;
    show();
  };
  const move = (x, y) => {
    view.x += x / view.zoom;
    view.y += y / view.zoom;
    show();
  };
  const say = (point) => {
    chosen?.link.classList.remove("chosen");
    chosen = point;
    chosen?.link.classList.add("chosen");
    near.textContent = point ? point.title : "";
  };
  const middle = () => {
    const x = view.x + width / view.zoom / 2, y = view.y + height / view.zoom / 2;
    return points.reduce((best, p) => (!best || Math.hypot(p.x - x, p.y - y) < Math.hypot(best.x - x, best.y - y) ? p : best), null);
  };
  const place = (event) => {
    const box = picture.getBoundingClientRect();
    return [view.x + ((event.clientX - box.left) / box.width) * (width / view.zoom), view.y + ((event.clientY - box.top) / box.height) * (height / view.zoom)];
  };

  picture.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== picture) return; // a page that cannot be scrolled past is worse
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, ...place(event));
  }, { passive: false });
  const held = new Map();
  let dragged = false, spread = 0;
  picture.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, event);
    dragged = false;
    spread = 0;
  });
  picture.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) {
      const over = event.target.closest("a");
      return say(points.find((point) => point.link === over) ?? null);
    }
    held.set(event.pointerId, event);
    if (held.size === 2) {
      const [one, other] = [...held.values()];
      const now = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      if (spread) zoom(now / spread, ...place({ clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 }));
      spread = now;
      dragged = true;
      return;
    }
    const x = before.clientX - event.clientX, y = before.clientY - event.clientY;
    if (dragged || Math.hypot(x, y) > 3) {
      if (!dragged) picture.setPointerCapture(event.pointerId);
      dragged = true;
      const box = picture.getBoundingClientRect();
      move((x * width) / box.width, (y * height) / box.height);
    } else held.set(event.pointerId, before);
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) picture.addEventListener(end, (event) => held.delete(event.pointerId));
  picture.addEventListener("dragstart", (event) => event.preventDefault());
  picture.addEventListener("click", (event) => dragged && event.preventDefault(), true);
  picture.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: [-80, 0], ArrowRight: [80, 0], ArrowUp: [0, -80], ArrowDown: [0, 80] };
    if (event.key in keys) move(...keys[event.key]);
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "Enter" && chosen) return chosen.link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
    else return;
    event.preventDefault();
    dragged = false;
    say(middle());
  });
  const tools = figure.querySelector(".tools");
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    const by = event.target.closest("button")?.dataset.zoom;
    if (by === "all") view = { x: 0, y: 0, zoom: 1 };
    if (by) by === "all" ? show() : zoom(Number(by));
  });
}
