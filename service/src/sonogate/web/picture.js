// Draw an image of the scan: the thumbnail, the heat map over it, and a frame around its worst region.

import { picture } from "./api.js";

const FAINT = 40; // a heat map this transparent everywhere has no worst region to show
const HOT = 0.6; // of its hottest point

const images = new WeakMap(); // picture record -> Promise of HTMLImageElement

function decoded(found) {
  if (!found) return null;
  if (!images.has(found)) {
    const image = new Image();
    image.src = found.url;
    images.set(found, image.decode().then(() => image, () => null));
  }
  return images.get(found);
}

/** The worst finding's box in thumbnail pixels, if the thumbnail says which part of the frame it shows. */
export function boxOfFinding(findings, shown, width, height) {
  const worst = findings.filter((finding) => finding.region).sort((a, b) => b.severity - a.severity)[0];
  if (!worst || !shown) return null;
  const across = width / shown.width;
  const down = height / shown.height;
  return clip({
    x: (worst.region.x - shown.x) * across,
    y: (worst.region.y - shown.y) * down,
    width: worst.region.width * across,
    height: worst.region.height * down,
  }, width, height);
}

function clip(box, width, height) {
  const x = Math.max(0, box.x);
  const y = Math.max(0, box.y);
  const right = Math.min(width, box.x + box.width);
  const bottom = Math.min(height, box.y + box.height);
  return right - x > 1 && bottom - y > 1 ? { x, y, width: right - x, height: bottom - y } : null;
}

/** The box around the hottest connected part of a heat map's opacity (row by row, 0 to 255). */
export function boxOfHeat(alpha, width, height) {
  const hottest = alpha.reduce((most, value) => Math.max(most, value), 0);
  if (hottest < FAINT) return null;
  const seen = new Uint8Array(alpha.length);
  let best = null;
  for (let start = 0; start < alpha.length; start++) {
    if (seen[start] || alpha[start] < hottest * HOT) continue;
    const part = grow(alpha, seen, width, height, start, hottest * HOT);
    if (!best || part.heat > best.heat) best = part;
  }
  return { x: best.left, y: best.top, width: best.right - best.left + 1, height: best.bottom - best.top + 1 };
}

function grow(alpha, seen, width, height, start, least) {
  const part = { left: width, right: 0, top: height, bottom: 0, heat: 0 };
  const todo = [start];
  seen[start] = 1;
  while (todo.length) {
    const at = todo.pop();
    const x = at % width;
    const y = (at - x) / width;
    part.left = Math.min(part.left, x);
    part.right = Math.max(part.right, x);
    part.top = Math.min(part.top, y);
    part.bottom = Math.max(part.bottom, y);
    part.heat += alpha[at];
    const next = [x > 0 && at - 1, x < width - 1 && at + 1, y > 0 && at - width, y < height - 1 && at + width];
    for (const one of next) {
      if (one === false || seen[one] || alpha[one] < least) continue;
      seen[one] = 1;
      todo.push(one);
    }
  }
  return part;
}

function hottestBox(heat) {
  if (!heat) return null;
  const canvas = new OffscreenCanvas(heat.naturalWidth, heat.naturalHeight);
  const context = canvas.getContext("2d");
  context.drawImage(heat, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return boxOfHeat(pixels.filter((_value, index) => index % 4 === 3), canvas.width, canvas.height);
}

function outline(context, box, scale) {
  const radius = 12 * devicePixelRatio;
  const margin = 6 * devicePixelRatio; // the line stays whole at the picture's edge
  const { width, height } = context.canvas;
  const x = Math.max(margin, box.x * scale);
  const y = Math.max(margin, box.y * scale);
  const right = Math.min(width - margin, (box.x + box.width) * scale);
  const bottom = Math.min(height - margin, (box.y + box.height) * scale);
  const frame = [x, y, Math.max(right - x, margin), Math.max(bottom - y, margin)];
  for (const [style, thickness] of [["#000c", 9], ["#fff", 4]]) {
    context.strokeStyle = style;
    context.lineWidth = thickness * devicePixelRatio;
    context.beginPath();
    context.roundRect(...frame, radius);
    context.stroke();
  }
}

/** Draw onto a canvas, as large as its place allows; where findings are given, with the worst place outlined. Returns "drawn", "outlined" or "none". */
export async function draw(canvas, objectId, findings, withHeat) {
  const [found, warmth] = await Promise.all([picture(objectId, "thumbnail"), picture(objectId, "heatmap")]);
  const [thumbnail, heat] = await Promise.all([decoded(found), decoded(warmth)]);
  if (canvas.dataset.object !== objectId) return "stale";
  if (!thumbnail) return "none";
  const place = canvas.parentElement;
  const { naturalWidth: width, naturalHeight: height } = thumbnail;
  const fit = Math.min(place.clientWidth / width, place.clientHeight / height);
  const scale = Math.max(fit, 0.01) * devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width * fit}px`;
  canvas.style.height = `${height * fit}px`;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(thumbnail, 0, 0, canvas.width, canvas.height);
  if (withHeat && heat) context.drawImage(heat, 0, 0, canvas.width, canvas.height);
  const box = findings && (boxOfFinding(findings, found.region, width, height) ?? hottestBox(heat));
  if (box) outline(context, box, scale);
  return box ? "outlined" : "drawn";
}

/** Put a small thumbnail into an <img>. */
export async function showSmall(element, objectId) {
  const found = await picture(objectId, "thumbnail");
  if (found) element.src = found.url;
  else element.classList.add("missing");
}
