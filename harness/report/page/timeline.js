// SPDX-License-Identifier: MIT
"use strict";

// --- small helpers

/** An element with attributes and children; text is never read as HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function draw(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Nanoseconds as people read them. */
function time(ns) {
  const seconds = ns / 1e9;
  if (ns % 1e6 === 0) return seconds.toFixed(3) + "s";
  return ns % 1e3 === 0 ? seconds.toFixed(6) + "s" : seconds.toFixed(9) + "s";
}

function span(ns) {
  if (ns === 0) return "no time";
  if (ns < 1e3) return ns + "ns";
  if (ns < 1e6) return ns / 1e3 + "us";
  if (ns < 1e9) return +(ns / 1e6).toFixed(3) + "ms";
  if (ns < 60e9) return +(ns / 1e9).toFixed(3) + "s";
  return ns < 3600e9 ? +(ns / 60e9).toFixed(2) + "min" : +(ns / 3600e9).toFixed(2) + "h";
}

const number = (value) => value.toLocaleString("en");

// --- the timeline

const kinds = {
  ok: ["", "succeeds"],
  failed: ["✕", "fails"],
  aborted: ["⊘", "is cancelled"],
  peer_gone: ["∞", "hangs until the end"],
  pending: ["…", "never ends"],
  abandoned: ["⌀", "is abandoned"],
};
const origins = {
  environment: "the plan, the passing of time or the end of the run",
  start: "its client started",
  strike: "somebody was asked to stop, or abandoned",
  timer: "a timer of the code expired",
  completion: "an operation ended",
  unknown: "several causes met, and cannot be told apart",
};
const row_height = 24, label_width = 146, axis_height = 34, lane_gap = 10, end_gap = 24;

/** One run, drawn: lanes as rows, operations as bars, over virtual time or over the order of events. */
class Timeline {
  constructor(run, title, marks_proof) {
    this.run = run;
    this.scaled = false;
    this.all_causes = false;
    this.selected = -1;
    this.place_events();
    this.pack();
    this.view = [this.first, this.last];
    this.svg = draw("svg", {
      class: "timeline", tabindex: 0, role: "group",
      "aria-label": title + ": " + run.events.length + " events in " + run.lanes.length +
        (run.lanes.length === 1 ? " lane" : " lanes") + ". Arrow keys go from event to event.",
    });
    this.detail = make("div", { class: "detail", "aria-live": "polite" },
      make("span", { class: "quiet" }, "Choose an event to see what it is and what caused it."));
    this.element = make("section", { class: "card" }, make("h3", {}, title), this.make_tools(), this.svg,
      this.make_legend(), marks_proof ? this.make_proof() : null, this.detail, this.make_table());
    this.listen();
    new ResizeObserver(() => this.render()).observe(this.svg);
  }

  // Where things are.

  /** By order: a slot for each event, and a wider gap where time passes. By scale: nanoseconds. */
  place_events() {
    const { events } = this.run;
    // What follows at once need not have much room.
    const room = { delivered: 0.35, client_started: 0.5, cancel_requested: 0.6, body_left: 0.6 };
    let at = 0;
    this.slots = events.map((event, i) => {
      if (i > 0) at += event.at > events[i - 1].at ? 1.8 : room[event.kind] ?? 1;
      return at;
    });
    this.measure();
  }

  measure() {
    const { events } = this.run;
    const all = this.scaled ? events.map((event) => event.at) : this.slots;
    const first = all[0] ?? 0, last = all[all.length - 1] ?? 1;
    const margin = Math.max(this.scaled ? 1000 : 0.7, (last - first) * 0.015);
    this.first = first - margin;
    this.last = last + margin * 1.6;
  }

  unit_of(event) { return this.scaled ? this.run.events[event].at : this.slots[event]; }

  /** Where an instant is at which nothing need have happened. */
  unit_at(when) {
    if (this.scaled) return when;
    const { events } = this.run;
    const next = events.findIndex((event) => event.at >= when);
    if (next < 0) return null;
    if (events[next].at === when) return this.slots[next] - 0.4;
    const before = Math.max(next - 1, 0), length = events[next].at - events[before].at;
    const part = length > 0 ? (when - events[before].at) / length : 0;
    return this.slots[before] + part * (this.slots[next] - this.slots[before]);
  }

  x_of(unit) {
    const [from, to] = this.view;
    return label_width + ((unit - from) / (to - from)) * (this.width - label_width - end_gap);
  }

  /** Operations that overlap are drawn below each other. */
  pack() {
    const { run } = this;
    const last = run.events.length - 1;
    this.bars = run.operations.map((op, index) => {
      const start = op.started >= 0 ? op.started : op.completed;
      const end = Math.max(op.delivered, op.completed, start, op.asked);
      return { op, index, start, end: op.completed < 0 && op.delivered < 0 ? last : end, row: 0 };
    }).filter((bar) => bar.start >= 0);
    this.lanes = run.lanes.map((lane) => ({ ...lane, bodies: run.bodies.filter((b) => b.lane === lane.lane && b.entered >= 0) }));
    let y = axis_height;
    for (const lane of this.lanes) {
      lane.first_row = 1; // for stays in the body, and the client's end
      const ends = [];
      for (const bar of this.bars.filter((b) => b.op.lane === lane.lane)) {
        let row = ends.findIndex((end) => end < bar.start);
        if (row < 0) row = ends.length;
        ends[row] = bar.end;
        bar.row = row;
      }
      lane.rows = Math.max(ends.length, 1) + lane.first_row;
      lane.y = y;
      lane.height = lane.rows * row_height + 6;
      y += lane.height + lane_gap;
    }
    this.height = y + 4;
    this.row_of_event = new Map();
    for (const bar of this.bars)
      for (const event of [bar.op.started, bar.op.asked, bar.op.completed, bar.op.delivered])
        if (event >= 0) this.row_of_event.set(event, bar);
  }

  lane_of(id) { return this.lanes.find((lane) => lane.lane === id); }

  y_of(event) {
    const bar = this.row_of_event.get(event);
    const lane = this.lane_of(this.run.events[event].lane);
    if (!lane) return axis_height;
    if (bar) return this.y_of_bar(bar) + row_height / 2 - 2;
    return lane.y + row_height / 2;
  }

  y_of_bar(bar) {
    const lane = this.lane_of(bar.op.lane);
    return lane.y + 4 + (lane.first_row + bar.row) * row_height;
  }

  // Drawing.

  render() {
    this.width = Math.max(this.svg.clientWidth || 800, 360);
    this.svg.setAttribute("height", this.height);
    this.svg.setAttribute("viewBox", "0 0 " + this.width + " " + this.height);
    this.svg.replaceChildren();
    const clip = "clip" + (Timeline.count = (Timeline.count ?? 0) + 1);
    this.svg.append(draw("defs", {},
      draw("clipPath", { id: clip }, draw("rect", { x: label_width, y: 0, width: this.width - label_width, height: this.height })),
      draw("marker", { id: clip + "a", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
        draw("path", { d: "M0 0L8 4L0 8z", fill: "var(--mark)" }))));
    this.arrow = "url(#" + clip + "a)";
    for (const lane of this.lanes) this.render_lane(lane);
    const scene = draw("g", { "clip-path": "url(#" + clip + ")" });
    this.svg.append(scene);
    this.render_axis(scene);
    for (const lane of this.lanes) for (const body of lane.bodies) this.render_body(scene, lane, body);
    for (const bar of this.bars) this.render_bar(scene, bar);
    for (const due of this.run.deadlines) this.render_deadline(scene, due);
    this.render_marks(scene);
    if (this.all_causes) this.run.events.forEach((event, i) => { if (event.told) this.render_cause(scene, i, 0.35); });
    if (this.selected >= 0) this.render_selection(scene);
  }

  render_lane(lane) {
    this.svg.append(
      draw("rect", { x: 0, y: lane.y, width: this.width, height: lane.height, rx: 6, fill: "var(--sunken)" }),
      draw("text", { x: 10, y: lane.y + 18, "font-weight": 600 }, lane.name),
      draw("text", { x: 10, y: lane.y + 34, class: "quiet-text" }, this.cut(lane.end ?? "", 20)));
    if (lane.probe) this.svg.append(draw("text", { x: 10, y: lane.y + lane.height - 6, class: "quiet-text" }, "comes afterwards"));
  }

  cut(text, letters) { return text.length > letters ? text.slice(0, letters - 1) + "…" : text; }

  /** Instants, with their times where there is room. */
  render_axis(scene) {
    const instants = [];
    if (this.scaled) {
      const [from, to] = this.view;
      const step = this.round_step((to - from) / Math.max((this.width - label_width) / 130, 1));
      for (let at = Math.ceil(Math.max(from, 0) / step) * step; at <= to; at += step) instants.push([at, at]);
    } else {
      this.run.events.forEach((event, i) => {
        if (i === 0 || event.at > this.run.events[i - 1].at) instants.push([this.slots[i] - 0.5, event.at]);
      });
    }
    let free = label_width - 20;
    for (const [unit, at] of instants) {
      const x = this.x_of(unit);
      if (x < label_width || x > this.width) continue;
      scene.append(draw("line", { x1: x, x2: x, y1: 20, y2: this.height, stroke: "var(--line)" }));
      const text = time(at);
      if (x < free) continue;
      scene.append(draw("text", { x: x + 3, y: 15, class: "quiet-text" }, text));
      free = x + text.length * 7 + 10;
    }
  }

  round_step(least) {
    const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
    return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= least) ?? power * 10;
  }

  render_body(scene, lane, body) {
    const left = body.left >= 0 ? body.left : this.run.events.length - 1;
    const x = this.x_of(this.unit_of(body.entered)), to = this.x_of(this.unit_of(left));
    const shape = draw("rect", {
      x, y: lane.y + 4, width: Math.max(to - x, 4), height: row_height - 4, rx: 4, fill: "var(--body-fill)", stroke: "var(--body)", class: "hit",
    });
    this.point(shape, body.entered, () => "the body" + (body.resource ? " with " + body.resource : ""));
    scene.append(shape);
    this.label(scene, ["body" + (body.resource ? " · " + body.resource : ""), "body"], x, to, lane.y + 17);
  }

  render_bar(scene, bar) {
    const { op } = bar, y = this.y_of_bar(bar);
    const x = this.x_of(this.unit_of(bar.start)), to = Math.max(this.x_of(this.unit_of(bar.end)), x + 5);
    if (to < label_width || x > this.width) return;
    const shape = draw("rect", {
      x, y, width: to - x, height: row_height - 5, rx: 3, fill: "var(--" + op.result + "-fill)", stroke: "var(--" + op.result + ")",
      "stroke-dasharray": op.result === "pending" || op.result === "peer_gone" ? "5 3" : null, class: "hit",
    });
    const shown = op.completed >= 0 ? op.completed : bar.start;
    this.point(shape, shown, () => this.describe(op));
    scene.append(shape);
    if (op.delivered > op.completed && op.completed >= 0) {
      const done = this.x_of(this.unit_of(op.completed));
      scene.append(draw("line", { x1: done, x2: done, y1: y + 1, y2: y + row_height - 6, stroke: "var(--" + op.result + ")", opacity: 0.6 }));
    }
    const glyph = kinds[op.result]?.[0] ? " " + kinds[op.result][0] : "";
    const name = op.name.replace(/^(c\d+|bg)\//, "");
    this.label(scene, [name + glyph, name.replace(/^[^.]*\./, "").replace(/#1$/, "") + glyph], x, to, y + 13, bar);
    if (op.fault)
      scene.append(draw("path", { d: "M" + x + " " + (y - 3) + "l5 8l-10 0z", fill: "var(--failed)", "pointer-events": "none" }));
    if (op.asked >= 0) {
      const ax = this.x_of(this.unit_of(op.asked));
      scene.append(draw("path", { d: "M" + (ax - 4) + " " + (y + 5) + "l8 8m0 -8l-8 8", stroke: "var(--aborted)", "stroke-width": 2, "pointer-events": "none" }));
    }
  }

  /** The longest of these texts that fits: inside the bar, else right of it where nothing comes for a while. */
  label(scene, texts, x, to, y, bar) {
    const from = Math.max(x, label_width), end = Math.min(to, this.width);
    const next = bar && this.bars.find((b) => b !== bar && b.op.lane === bar.op.lane && b.row === bar.row && b.start > bar.start);
    const room = bar ? (next ? this.x_of(this.unit_of(next.start)) : this.width) - to : 0;
    for (const text of texts) {
      const needed = text.length * 6.7 + 8;
      const inside = end - from >= needed;
      if (!inside && room < needed) continue;
      return scene.append(draw("text", { x: inside ? from + 4 : to + 4, y, "pointer-events": "none" }, text));
    }
  }

  render_deadline(scene, due) {
    const unit = this.unit_at(due.at), lane = this.lane_of(due.lane);
    if (unit === null || !lane) return;
    const bar = this.bars.find((b) => b.index === due.op);
    if (bar && this.run.events[bar.end].at < due.at) return;
    const x = this.x_of(unit), y = bar ? this.y_of_bar(bar) - 2 : lane.y;
    const height = bar ? row_height : lane.height;
    const group = draw("g", { class: "hit" },
      draw("line", { x1: x, x2: x, y1: y, y2: y + height, stroke: "var(--mark)", "stroke-width": 2, "stroke-dasharray": "3 2" }),
      draw("circle", { cx: x, cy: y, r: 4, fill: "var(--surface)", stroke: "var(--mark)", "stroke-width": 1.5 }));
    this.point(group, -1, () => "deadline " + time(due.at) + "\n" + due.what);
    scene.append(group);
  }

  /** Ends, cancellations, notes, stages, proofs, and where another run goes another way. */
  render_marks(scene) {
    const { events } = this.run;
    const dots = !this.scaled && this.x_of(1) - this.x_of(0) > 7;
    let proof = 0;
    const next_stage = (i) => {
      const next = events.findIndex((event, k) => k > i && event.kind === "stage" && event.told);
      return next < 0 ? this.width : this.x_of(this.unit_of(next));
    };
    events.forEach((event, i) => {
      const x = this.x_of(this.unit_of(i)), lane = this.lane_of(event.lane), y = this.y_of(i);
      if (event.remark) ++proof;
      if (x < label_width - 20 || x > this.width + 20) return;
      const add = (shape) => { this.point(shape, i, () => this.say(i)); shape.classList.add("hit"); scene.append(shape); };
      if (event.kind === "stage") {
        if (!event.told) return;
        add(draw("path", { d: "M" + x + " 20V" + this.height, fill: "none", stroke: "var(--muted)", "stroke-dasharray": "1 4" }));
        // Where there is no room for the words, pointing at the line shows them.
        const room = next_stage(i) - x;
        if (event.what.length * 6.7 < room) add(draw("text", { x: x + 3, y: 30, class: "quiet-text" }, event.what));
      } else if (event.kind === "client_cancelled" || event.kind === "client_abandoned") {
        if (!lane) return;
        add(draw("path", { d: "M" + x + " " + lane.y + "v" + lane.height, stroke: "var(--aborted)", "stroke-width": 2, fill: "none" }));
        add(draw("path", { d: "M" + (x - 5) + " " + (lane.y + 2) + "l10 10m0 -10l-10 10", stroke: "var(--aborted)", "stroke-width": 2.5, fill: "none" }));
      } else if (event.kind === "client_ended" && lane) {
        add(draw("path", { d: "M" + x + " " + (y - 6) + "l6 6l-6 6l-6 -6z", fill: /throws|abandoned|running/.test(event.what) ? "var(--failed)" : "var(--ok)" }));
      } else if (event.kind === "note" && lane) {
        add(draw("path", { d: "M" + x + " " + (lane.y + lane.height) + "v-16h10v8h-10", fill: "var(--accent)", stroke: "var(--accent)" }));
      } else if (dots && !this.row_of_event.has(i)) {
        add(draw("circle", { cx: x, cy: y, r: 3, fill: "var(--muted)" }));
      }
      if (event.remark) {
        add(draw("circle", { cx: x, cy: y - 11, r: 8, fill: "var(--mark)" }));
        scene.append(draw("text", { x, y: y - 7, "text-anchor": "middle", "font-weight": 700, style: "fill: var(--surface); font-size: 11px", "pointer-events": "none" }, String(proof)));
      }
    });
    if (this.run.differs >= 0) {
      const x = this.x_of(this.unit_of(this.run.differs) - (this.scaled ? 0 : 0.5));
      scene.append(draw("line", { x1: x, x2: x, y1: 18, y2: this.height, stroke: "var(--accent)", "stroke-width": 2 }),
        draw("text", { x: x + 4, y: 30, style: "fill: var(--accent); font-size: 11px" }, "differs from here"));
    }
  }

  render_cause(scene, i, opacity) {
    const cause = this.run.events[i].cause;
    if (cause === undefined) return;
    const x1 = this.x_of(this.unit_of(cause)), y1 = this.y_of(cause), x2 = this.x_of(this.unit_of(i)), y2 = this.y_of(i);
    const bend = Math.max(14, Math.abs(x2 - x1) * 0.25);
    scene.append(draw("path", {
      d: "M" + x1 + " " + y1 + "C" + (x1 + bend) + " " + (y1 + (y1 === y2 ? -22 : 0)) + " " + (x2 - bend) + " " + (y2 + (y1 === y2 ? -22 : 0)) + " " + x2 + " " + y2,
      fill: "none", stroke: "var(--mark)", "stroke-width": 1.6, opacity, "marker-end": this.arrow, "pointer-events": "none",
    }));
  }

  render_selection(scene) {
    for (const i of this.chain(this.selected)) this.render_cause(scene, i, 1);
    const x = this.x_of(this.unit_of(this.selected)), y = this.y_of(this.selected);
    scene.append(
      draw("line", { x1: x, x2: x, y1: 20, y2: this.height, stroke: "var(--mark)", opacity: 0.35 }),
      draw("circle", { cx: x, cy: y, r: 8, fill: "none", stroke: "var(--mark)", "stroke-width": 2.5 }));
  }

  // What things are.

  describe(op) {
    const ends = Math.max(op.completed, op.delivered);
    const took = op.started >= 0 && ends >= 0 ? span(this.run.events[ends].at - this.run.events[op.started].at) : null;
    return [op.name + " " + (kinds[op.result]?.[1] ?? ""), op.fault ? "the plan: " + op.fault : null, took ? "takes " + took : null,
      op.resource ? "on " + op.resource : null].filter(Boolean).join("\n");
  }

  say(i) {
    const event = this.run.events[i];
    return time(event.at) + "  " + event.who + " " + event.what + (event.remark ? "\n" + event.remark : "");
  }

  chain(i) {
    const all = [];
    for (let at = i; at !== undefined && !all.includes(at); at = this.run.events[at].cause) all.push(at);
    return all;
  }

  choose(i, reveal = true) {
    this.selected = i;
    if (i >= 0 && reveal) {
      const unit = this.unit_of(i), [from, to] = this.view;
      if (unit < from || unit > to) this.look(unit - (to - from) / 2, unit + (to - from) / 2);
    }
    this.render();
    this.tell();
    for (const row of this.rows ?? []) row.setAttribute("aria-selected", row.dataset.event === String(i));
  }

  tell() {
    if (this.selected < 0) return this.detail.replaceChildren();
    const event = this.run.events[this.selected];
    const op = event.op === undefined ? null : this.run.operations[event.op];
    const facts = make("dl");
    const fact = (name, value) => { if (value) facts.append(make("dt", {}, name), make("dd", {}, value)); };
    fact("when", time(event.at) + ", in step " + event.step);
    fact("proves", event.remark);
    if (op) {
      fact("operation", this.describe(op).split("\n").join("; ") + (op.in_body ? "; made by the body" : ""));
    }
    fact("set off by", origins[event.why]);
    const note = this.run.events.slice(0, this.selected + 1).reverse().find((e) => e.kind === "note" && e.lane === event.lane);
    fact("the code's note", note && note.what);
    const causes = this.chain(this.selected).slice(1);
    this.detail.replaceChildren(make("h4", {}, event.who + " " + event.what), facts);
    if (causes.length > 0)
      this.detail.append(make("div", { class: "quiet" }, "because of"), make("ol", { class: "chain" },
        ...causes.map((i) => make("li", {}, make("button", { type: "button", onclick: () => this.choose(i) }, this.say(i))))));
  }

  // What people do.

  look(from, to) {
    const least = this.scaled ? 10 : 2;
    let length = Math.min(Math.max(to - from, least), this.last - this.first);
    from = Math.min(Math.max(from, this.first), this.last - length);
    this.view = [from, from + length];
    this.render();
  }

  zoom(factor, around = 0.5) {
    const [from, to] = this.view, middle = from + (to - from) * around;
    this.look(middle - (middle - from) / factor, middle + (to - middle) / factor);
  }

  point(shape, event, text) {
    const tip = document.getElementById("tip");
    shape.addEventListener("pointermove", (e) => {
      tip.textContent = text();
      tip.hidden = false;
      tip.style.left = Math.min(e.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
      tip.style.top = Math.min(e.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
    });
    shape.addEventListener("pointerleave", () => { tip.hidden = true; });
    if (event >= 0) shape.addEventListener("click", () => { if (!this.dragged) this.choose(event); });
  }

  step(by, same_lane) {
    const { events } = this.run;
    let i = this.selected < 0 ? (by > 0 ? -1 : events.length) : this.selected;
    const lane = events[this.selected]?.lane;
    do i += by; while (events[i] && same_lane && events[i].lane !== lane);
    if (events[i]) this.choose(i);
  }

  change_lane(by) {
    const here = this.lanes.findIndex((lane) => lane.lane === this.run.events[this.selected]?.lane);
    const there = this.lanes[here + by];
    if (!there) return;
    let best = -1;
    this.run.events.forEach((event, i) => {
      if (event.lane === there.lane && (best < 0 || Math.abs(i - this.selected) < Math.abs(best - this.selected))) best = i;
    });
    if (best >= 0) this.choose(best);
  }

  listen() {
    this.svg.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      const actions = {
        ArrowRight: () => this.step(1, e.shiftKey), ArrowLeft: () => this.step(-1, e.shiftKey),
        ArrowUp: () => this.change_lane(-1), ArrowDown: () => this.change_lane(1),
        Home: () => this.choose(0), End: () => this.choose(this.run.events.length - 1),
        "+": () => this.zoom(1.5), "=": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), 0: () => this.look(this.first, this.last),
        c: () => { const cause = this.run.events[this.selected]?.cause; if (cause !== undefined) this.choose(cause); },
        t: () => this.by_scale.click(), Escape: () => this.choose(-1),
      };
      if (!actions[e.key]) return;
      e.preventDefault();
      actions[e.key]();
    });
    this.svg.addEventListener("wheel", (e) => {
      const box = this.svg.getBoundingClientRect();
      const around = Math.min(Math.max((e.clientX - box.left - label_width) / (box.width - label_width - end_gap), 0), 1);
      if (e.ctrlKey) { e.preventDefault(); this.zoom(e.deltaY < 0 ? 1.2 : 1 / 1.2, around); }
      else if (Math.abs(e.deltaX) > Math.abs(e.deltaY)) { e.preventDefault(); this.move(e.deltaX); }
    }, { passive: false });
    let from = null;
    this.svg.addEventListener("pointerdown", (e) => { from = e.clientX; this.dragged = false; });
    this.svg.addEventListener("pointermove", (e) => {
      if (from === null || e.buttons === 0 || Math.abs(e.clientX - from) < (this.dragged ? 1 : 5)) return;
      this.dragged = true;
      this.move(from - e.clientX);
      from = e.clientX;
    });
    this.svg.addEventListener("pointerup", () => { from = null; });
    this.svg.addEventListener("dblclick", () => this.zoom(2));
  }

  move(pixels) {
    const [from, to] = this.view, by = (pixels / (this.width - label_width - end_gap)) * (to - from);
    this.look(from + by, to + by);
  }

  // What stands around it.

  make_tools() {
    const button = (text, label, action) => make("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
    const toggle = (text, label, name, changed) => {
      const made = make("button", { type: "button", "aria-pressed": "false", title: label }, text);
      made.addEventListener("click", () => {
        this[name] = !this[name];
        made.setAttribute("aria-pressed", String(this[name]));
        changed();
      });
      return made;
    };
    this.by_scale = toggle("To scale", "Virtual time to scale, instead of one place for each event", "scaled", () => {
      this.measure();
      this.look(this.first, this.last);
    });
    return make("div", { class: "tools" },
      button("−", "Zoom out", () => this.zoom(1 / 1.5)), button("+", "Zoom in", () => this.zoom(1.5)),
      button("Fit", "Show the whole run", () => this.look(this.first, this.last)), this.by_scale,
      toggle("All causes", "Draw what caused each event", "all_causes", () => this.render()),
      make("span", { class: "keys" }, "Keys: ← → events, shift in one lane, ↑ ↓ lanes, c cause, + − 0 zoom, t scale"));
  }

  make_legend() {
    const used = new Set(this.run.operations.map((op) => op.result));
    const items = Object.entries(kinds).filter(([name]) => used.has(name)).map(([name, [glyph, text]]) =>
      make("li", {}, make("span", { class: "swatch", style: "background: var(--" + name + "-fill); border-color: var(--" + name + ")" }), (glyph ? glyph + " " : "") + text));
    if (this.run.operations.some((op) => op.fault)) items.push(make("li", {}, make("span", { style: "color: var(--failed)" }, "▲"), "a fault of the plan"));
    if (this.run.deadlines.length > 0) items.push(make("li", {}, make("span", { style: "color: var(--mark)" }, "┆"), "a deadline"));
    if (this.run.events.some((event) => event.kind.startsWith("client_c") || event.kind === "cancel_requested"))
      items.push(make("li", {}, make("span", { style: "color: var(--aborted)" }, "✕"), "cancelled, or asked to stop"));
    items.push(make("li", {}, make("span", {}, "◆"), "a client ends"));
    if (this.run.left_out > 0) items.push(make("li", {}, number(this.run.left_out) + " events in the middle are left out"));
    return make("ul", { class: "legend" }, ...items);
  }

  make_proof() {
    const list = make("ol", { class: "proof" });
    let count = 0;
    this.run.events.forEach((event, i) => {
      if (event.remark)
        list.append(make("li", {}, make("button", { type: "button", onclick: () => this.choose(i) },
          make("b", {}, ++count + "  "), event.who + " " + event.what + " — ", make("b", {}, event.remark))));
    });
    return count > 0 ? list : null;
  }

  make_table() {
    const box = make("details", {}, make("summary", {}, "All events as a list"));
    box.addEventListener("toggle", () => {
      if (this.rows) return;
      const body = make("tbody");
      this.rows = [];
      this.run.events.forEach((event, i) => {
        const row = make("tr", { "data-event": i, class: i === this.run.differs ? "differs" : null, "aria-selected": i === this.selected, onclick: () => this.choose(i) },
          make("td", { class: "mono" }, time(event.at)), make("td", {}, this.lane_of(event.lane)?.name ?? ""),
          make("td", { class: "mono" }, event.who + " " + event.what), make("td", {}, event.remark ?? ""));
        this.rows.push(row);
        body.append(row);
      });
      box.append(make("div", { class: "events", tabindex: 0 }, make("table", {},
        make("thead", {}, make("tr", {}, ...["time", "lane", "what happens", "proves"].map((text) => make("th", { scope: "col" }, text)))), body)));
    });
    return box;
  }
}

