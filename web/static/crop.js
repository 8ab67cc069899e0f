// Drag over the uploaded photo to search by a part of it; without this its field takes numbers.
export function watchCrop(frame, form) {
  const field = form?.querySelector("[name=crop]");
  if (!frame || !field) return;
  const part = document.createElement("div");
  part.className = "part";
  frame.classList.add("live");
  let start = null;

  const show = ([x, y, width, height]) => {
    Object.assign(part.style, { left: `${x}%`, top: `${y}%`, width: `${width}%`, height: `${height}%` });
    frame.append(part);
  };
  const at = (event) => {
    const box = frame.getBoundingClientRect();
    const percent = (value, size) => Math.min(100, Math.max(0, (100 * value) / size));
    return [percent(event.clientX - box.left, box.width), percent(event.clientY - box.top, box.height)];
  };
  const area = (event) => {
    const [x, y] = at(event);
    return [Math.min(x, start[0]), Math.min(y, start[1]), Math.abs(x - start[0]), Math.abs(y - start[1])];
  };

  const given = frame.dataset.crop.split(",").map(Number);
  if (given.length === 4 && !given.some(Number.isNaN)) show(given);
  frame.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    start = at(event);
    frame.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  frame.addEventListener("pointermove", (event) => start && show(area(event)));
  frame.addEventListener("pointercancel", () => (start = null));
  frame.addEventListener("pointerup", (event) => {
    if (event.button || !start) return;
    const found = area(event);
    start = null;
    if (found[2] < 3 || found[3] < 3) {
      part.remove();
      if (!field.value) return;
      field.value = "";
    } else {
      field.value = found.map((number) => number.toFixed(1)).join(",");
    }
    form.requestSubmit();
  });
}
