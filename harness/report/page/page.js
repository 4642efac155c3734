// SPDX-License-Identifier: MIT
"use strict";

// --- the pages

function chips(parts, other, name) {
  if (parts.length === 0 && !other) return make("p", { class: "quiet" }, "nothing goes wrong");
  const list = make("ul", { class: "chips" });
  for (const part of parts) list.append(make("li", { class: other && !other.includes(part) ? name : null }, make("code", {}, part)));
  return list;
}

function copyable(text) {
  const button = make("button", { type: "button" }, "Copy");
  const line = make("pre", {}, text);
  button.addEventListener("click", async () => {
    let copied = false;
    try { await navigator.clipboard.writeText(text); copied = true; } catch { /* pages from files may not */ }
    if (!copied) {
      getSelection().selectAllChildren(line);
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return make("div", { class: "copy" }, line, button);
}

function show_counterexample(part, c) {
  const page = [
    make("h1", {}, part.manager + " breaks ", make("span", { class: "rule" }, c.invariant)),
    make("p", { class: "quiet" }, c.rule ? "The rule: " + c.rule + "." : "", c.nondeterministic ? " The run is not deterministic." : ""),
    make("p", { class: "lead" }, c.sentence),
  ];
  if (c.expected)
    page.push(make("dl", {}, make("dt", {}, "expected"), make("dd", {}, c.expected), make("dt", {}, "actual"), make("dd", {}, c.actual)));
  page.push(make("h2", {}, "The plan"));
  const plan = c.run.plan, other = c.neighbour?.plan;
  const cards = make("div", { class: "plans" }, make("div", { class: "card" }, make("h3", {}, "This breaks it"),
    plan.length === 0 ? make("p", { class: "quiet" }, "nothing goes wrong") : chips(plan, other, "decides"),
    c.alike ? make("p", { class: "quiet" }, c.alike + ".") : null,
    c.found.length > plan.length ? make("p", { class: "quiet" }, "Found first with " + c.found.length + " parts, of which " + plan.length + (plan.length === 1 ? " matters." : " matter.")) : null));
  if (other) {
    const left = chips(other, null);
    const list = left.tagName === "UL" ? left : make("ul", { class: "chips" });
    for (const gone of plan.filter((text) => !other.includes(text))) list.append(make("li", { class: "gone" }, make("code", {}, gone)));
    cards.append(make("div", { class: "card" }, make("h3", {}, c.neighbour_holds ? "The nearest plan that holds" : "The nearest plan that does not break this rule"),
      list, make("p", { class: "quiet" }, "It holds " + c.holds + ".")));
  }
  page.push(cards, make("h2", {}, "The run"));
  const runs = make("div", { class: "runs" }, new Timeline(c.run, "The run that breaks " + c.invariant, true).element);
  if (other) runs.append(new Timeline(c.neighbour, c.neighbour_holds ? "The run that holds" : "The run that does not break it", false).element);
  if (!other || Math.max(c.run.events.length, c.neighbour.events.length) > 40 || c.run.lanes.length > 2) runs.classList.add("wide");
  page.push(runs, make("h2", {}, "Repeat it"), copyable(c.replay));
  if (c.saved) page.push(make("p", { class: "quiet" }, "Saved as ", make("code", {}, c.saved)));
  page.push(make("p", { class: "quiet" }, "What usually causes this, and what mends it: ", make("code", {}, "explain " + c.invariant)));
  return page;
}

function show_matrix(coverage) {
  const head = make("tr", {}, make("th", { scope: "col" }, "operation"),
    ...coverage.kinds.map((kind) => make("th", { scope: "col", title: "The operation " + kind.about }, kind.word)));
  const rows = coverage.rows.map((row) => make("tr", {}, make("th", { scope: "row", class: "mono" }, row.operation),
    ...row.cells.map(([planned, fired, seen]) => planned === 0
      ? make("td", { class: "none", title: "never planned" }, "·")
      : make("td", {
        class: fired === 0 ? "never" : fired < planned ? "some" : "all",
        title: number(planned) + " planned, " + number(fired) + " fired, " + number(seen) + " seen by the caller",
      }, number(fired) + (fired < planned ? " of " + number(planned) : "") + (seen > 0 ? " · " + number(seen) + " seen" : "")))));
  return make("div", { class: "scroll" }, make("table", { class: "matrix" }, make("thead", {}, head), make("tbody", {}, ...rows)));
}

function show_campaign(section, part) {
  const broken = part.counterexamples.length;
  const page = [
    make("h1", {}, part.manager + (broken > 0 ? " breaks " + part.counterexamples.map((c) => c.invariant).join(", ") : part.invalid ? " tested nothing" : " holds")),
    make("p", { class: "lead" }, part.invalid || part.covered),
  ];
  if (section.where || section.summary) page.push(make("p", { class: "quiet" }, section.where + (section.summary ? ": " + section.summary : "")));
  if (part.run) {
    page.push(make("h2", {}, "The run"), make("div", { class: "runs wide" }, new Timeline(part.run, "The run", false).element),
      make("h2", {}, "Repeat it"), copyable(part.replay));
    return page;
  }
  if (part.runs === undefined) return page;
  const figure = (value, text) => make("div", {}, make("b", {}, value), make("span", {}, text));
  page.push(make("div", { class: "numbers" }, figure(number(part.runs), part.runs === 1 ? "run" : "runs"), figure(number(part.fired), "faults fired"),
    figure(number(part.violating_runs), part.violating_runs === 1 ? "run with a violation" : "runs with a violation"),
    figure(number(broken + part.untold), "different bugs"), part.seed ? figure(part.seed, "seed") : null));
  if (part.untried) page.push(make("p", { class: "quiet" }, "Untried: " + part.untried));
  if (part.coverage.rows.length > 0)
    page.push(make("h2", {}, "Coverage"), make("p", { class: "quiet" }, "How often each fault fired at each operation, and how often the caller saw its very error. ",
      "Green: each time it was planned; amber: some of the times; red: never."), show_matrix(part.coverage));
  return page;
}

/** The file and its folder: what tells scenarios apart. */
const short_place = (where) => where.replace(/(\.yaml)?:\d+$/, "").split("/").slice(-2).join("/");

/** Every page, in order: a name for its address, what the list shows, and how it is made. */
function list_pages(sections) {
  const pages = [];
  sections.forEach((section, s) => section.parts.forEach((part, p) => {
    const id = s + "." + p;
    const worth = part.runs !== undefined || part.run || part.counterexamples.length === 0;
    part.counterexamples.forEach((c, i) => pages.push({
      id: id + "." + i, section, good: false, meant: section.as_expected, text: "breaks " + c.invariant, make: () => show_counterexample(part, c),
    }));
    if (worth) pages.push({
      id, section, good: part.holds, meant: section.as_expected, text: part.counterexamples.length > 0 ? "campaign and coverage" : part.invalid ? "tested nothing" : "holds",
      campaign: part.counterexamples.length > 0, make: () => show_campaign(section, part),
    });
  }));
  return pages;
}

function begin() {
  const sections = JSON.parse(document.getElementById("data").textContent);
  const pages = list_pages(sections);
  const list = document.getElementById("list"), main = document.getElementById("main");
  const wrong = sections.filter((section) => !section.as_expected).length;
  document.getElementById("summary").textContent = sections.length === 1
    ? sections[0].name + (wrong ? " does not hold" : sections[0].summary ? ": " + sections[0].summary : " holds")
    : number(sections.length) + " sections: " + number(sections.length - wrong) + " as expected, " + number(wrong) + " not";
  document.title = "mishap: " + document.getElementById("summary").textContent;

  const fill = (only_wrong) => {
    list.replaceChildren();
    if (sections.length > 8) {
      const box = make("input", { type: "checkbox" });
      box.checked = only_wrong;
      box.addEventListener("change", () => { fill(box.checked); list.querySelector("input").focus(); });
      list.append(make("label", {}, box, " only what is not as expected"));
    }
    let before = null;
    for (const page of pages) {
      if (only_wrong && page.meant) continue;
      if (page.section !== before) list.append(make("h2", { title: page.section.name + " " + page.section.where }, short_place(page.section.where) || page.section.name));
      before = page.section;
      const state = page.campaign ? ["▦", "meant"] : page.good ? ["✓", "good"] : page.meant ? ["✕", "meant"] : ["✕", "bad"];
      list.append(make("a", { href: "#" + page.id, "aria-current": page.id === shown ? "page" : null },
        make("span", { class: "dot " + state[1], "aria-hidden": "true" }, state[0]), make("span", {}, page.text)));
    }
  };
  let shown = null;
  const open = (focus) => {
    const wanted = location.hash.slice(1);
    const page = pages.find((one) => one.id === wanted) ?? pages.find((one) => !one.good && !one.meant) ?? pages[0];
    if (!page || page.id === shown) return;
    shown = page.id;
    main.replaceChildren(...page.make());
    document.getElementById("tip").hidden = true;
    for (const link of list.querySelectorAll("a")) link.toggleAttribute("aria-current", link.getAttribute("href") === "#" + shown);
    if (focus) { main.focus({ preventScroll: true }); scrollTo(0, 0); }
  };
  document.querySelector(".page").classList.toggle("listed", pages.length > 1);
  fill(false);
  open(false);
  addEventListener("hashchange", () => { if (location.hash !== "#main") open(true); });
  if (pages.length === 0) main.replaceChildren(make("h1", {}, "Nothing ran"));
}

function begin_themes() {
  const button = document.getElementById("theme"), themes = ["auto", "light", "dark"];
  let theme = "auto";
  try { theme = localStorage.getItem("mishap-theme") ?? "auto"; } catch { /* pages from files may have none */ }
  const show = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = "Theme: " + theme;
  };
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try { localStorage.setItem("mishap-theme", theme); } catch { /* then it lasts as long as the page */ }
    show();
  });
  show();
}

begin_themes();
begin();
