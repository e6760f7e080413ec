// The page in Chromium. Every check says what it expects; the first that fails ends the test.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { longRun, traceFile } from "./synthetic.mjs";

const [, , executablePath, room] = process.argv;
const require = createRequire(resolve(room, "node_modules", "x.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" ");
const EVENTS = 1_000_000, PAINT_MS_MAX = 2_000, FRAME_MS_MAX = 100, PAGE_BYTES_MAX = 10_000_000;

const shots = join(room, "shots");
mkdirSync(shots, { recursive: true });
const browser = await chromium.launch({ executablePath, args: FLAGS });

async function open(file, { hash = "", width = 1440, height = 900, colorScheme = "light", ready = true } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  page.seen = { requests: [], errors: [] };
  page.on("request", (request) => page.seen.requests.push(request.url()));
  page.on("pageerror", (error) => page.seen.errors.push(error.message));
  page.on("console", (message) => { if (message.type() === "error") page.seen.errors.push(message.text()); });
  page.on("dialog", (dialog) => { page.seen.errors.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(`file://${resolve(file)}${hash}`);
  if (ready) await page.waitForFunction(() => document.documentElement.dataset.ready === "true", null, { timeout: 60_000 });
  page.done = async () => {
    assert.deepEqual(page.seen.errors, [], "the page is without errors");
    assert.equal(page.seen.requests.filter((url) => !url.startsWith("file://")).length, 0, "the page makes no request");
    assert.equal(page.seen.requests.length, 1, `only the page itself is read, not ${page.seen.requests}`);
    await context.close();
  };
  return page;
}

async function accessible(page, what) {
  // The page's policy lets no foreign script in, so axe comes by the debugger, not by an element.
  await page.evaluate(axe + ";0");
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).slice(0, 3).join(" ")}`), [], `axe finds nothing on ${what}`);
}

const selected = (page) => page.evaluate(() => squall.view.selected);

// Replaces a part of a page's data; the policy covers scripts and style alone.
function patched(file, name, change) {
  const page = readFileSync(file, "utf8"), begin = page.indexOf(`id="${name}">`) + name.length + 6, end = page.indexOf("</script>", begin);
  const out = join(room, `patched-${name}.html`);
  const content = change(page.slice(begin, end));
  writeFileSync(out, page.slice(0, begin) + content + page.slice(end));
  return out;
}

async function everyReport(reports) {
  for (const folder of reports) {
    const file = join(room, "out", folder, "report.html"), failure = JSON.parse(readFileSync(join(room, "out", folder, "failure.json"), "utf8"));
    const page = await open(file);
    assert.equal(await page.textContent("#sentence"), failure.verdict);
    assert.equal(await page.locator("#table tbody tr").count(), failure.table.rows.filter((row) => !row.folded).length, `${folder}: all rows are there`);
    const violated = failure.table.rows.find((row) => row.violated);
    assert.ok(violated, `${folder}: a row is marked`);
    const row = page.locator(`#table tr.violated[data-turn="${violated.turn}"]`);
    assert.deepEqual((await row.locator("td").allTextContents()), [...violated.cells, violated.io]);
    assert.equal(await page.locator("#proof-body li").count(), failure.proof.lines.length);
    assert.equal(await page.locator("#proof-body figure > svg path[fill=none]").count(), failure.proof.edges.length, `${folder}: the cycle is drawn`);
    await why(page, failure, folder);
    await page.keyboard.press("v");
    assert.equal(await selected(page), failure.table.rows.filter((each) => each.violated).pop().turn);
    assert.match(await page.textContent("#panel"), /Replay to here/);
    await memory(page, folder);
    await page.screenshot({ path: join(shots, `${folder}.png`) });
    await accessible(page, folder);
    await page.done();
  }
}

// The side panel shows what the engine holds in memory as a difference.
async function memory(page, folder) {
  if (!folder.startsWith("planted") && !(await page.textContent("#where")).includes("dinghy")) return;
  const turn = await page.evaluate(() => { const { facts, run } = squall.trace, seen = run.states.filter((n) => facts.kind[n] === 18); return facts.turn[seen[seen.length >> 1]]; });
  await page.evaluate((turn) => { location.hash = `#t=${turn}`; }, turn);
  await page.waitForFunction((turn) => squall.view.selected === turn, turn);
  assert.match(await page.locator("#panel .plus").allTextContents().then((all) => all.join("\n")), /^\+ engine's /m, `${folder}: the engine's memory changes in turn ${turn}`);
}

// What is necessary, where it was decided, and the run that passes beside the one that fails.
async function why(page, failure, folder) {
  const { necessity, likelihood, nearest } = failure, stars = failure.table.rows.filter((row) => row.necessary).length;
  assert.ok(necessity && likelihood, `${folder}: it has been found out why`);
  assert.equal(await page.locator("#table tbody tr.necessary .mark", { hasText: "★" }).count(), stars, `${folder}: ★ where it is necessary`);
  const decisions = page.locator("#why .marks tbody tr");
  assert.equal(await decisions.count(), necessity.marks.length, `${folder}: every decision is listed`);
  assert.equal(await page.locator("#why .marks tbody tr.necessary").count(), necessity.marks.filter((mark) => mark.necessary).length);
  assert.equal(await page.locator("#why svg.curve circle").count(), likelihood.points.length, `${folder}: the curve is drawn`);
  assert.equal(await page.locator("#why svg.curve rect.edge").count(), likelihood.no_return ? 1 : 0, `${folder}: the point of no return`);
  assert.equal(await page.locator(".chart").count(), nearest ? 2 : 1, `${folder}: two halves where there is a run that passes`);
  if (!nearest) return;
  assert.ok((await page.textContent("#why")).includes(nearest.edit));
  if (nearest.failing !== nearest.passing) assert.equal(await page.evaluate(() => squall.parts), nearest.turn, `${folder}: the two part where it is said`);
  // The halves are aligned: a turn stands at the same place in both, and moves in both.
  const halves = () => page.evaluate(() => squall.view.charts.map((chart) => { const box = chart.canvas.getBoundingClientRect(); return [box.left, box.width, chart.view.from, chart.view.to]; }));
  await page.keyboard.press("+");
  const [one, other] = await halves();
  assert.deepEqual(one, other, `${folder}: the halves are aligned`);
  await page.keyboard.press("0");
  await page.locator("#why button", { hasText: `turn ${nearest.turn}` }).click();
  assert.equal(await selected(page), nearest.turn, "the button leads to where they part");
}

async function keysSearchAndLinks(file) {
  const page = await open(file, { hash: "#t=40" });
  assert.equal(await selected(page), 40, "a link leads to its turn");
  await page.keyboard.press("ArrowRight");
  assert.equal(await selected(page), 41);
  assert.match(page.url(), /#t=41$/);
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await selected(page), 39);
  await page.keyboard.press("Home");
  await page.keyboard.press("]");
  const first = await page.evaluate(() => squall.trace.run.switches.find((turn) => turn > 1));
  assert.equal(await selected(page), first, "the next context switch");
  await page.keyboard.press("0");
  const whole = await page.evaluate(() => squall.view.to - squall.view.from);
  await page.keyboard.press("+");
  assert.ok(await page.evaluate((whole) => squall.view.to - squall.view.from < whole, whole), "zooming in shows less");
  await page.keyboard.press("?");
  assert.ok(await page.locator("#help").isVisible(), "the help");
  await accessible(page, "the help");
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  const who = await page.evaluate(() => squall.trace.run.connections.find((each) => each >= 4));
  await page.keyboard.type(`kind:op conn:${who - 4} turn:1..100000`);
  await page.keyboard.press("Enter");
  const expected = await page.evaluate((who) => { const { facts } = squall.trace, turns = new Set(); for (let n = 0; n < facts.count; n++) if ((facts.kind[n] === 4 || facts.kind[n] === 5) && facts.who[n] === who) turns.add(facts.turn[n]); return [...turns]; }, who);
  assert.ok(expected.length > 1);
  assert.deepEqual(await page.evaluate(() => squall.hits), expected, "the search finds what is there");
  await page.keyboard.press("Escape");
  await page.keyboard.press("n");
  assert.equal(await selected(page), expected[1], "the next hit");
  await page.keyboard.press("/");
  await page.fill("#query", "colour:red");
  await page.keyboard.press("Enter");
  assert.match(await page.textContent("#hits"), /no field colour: expected one of conn/);
  await page.keyboard.press("Escape");
  await page.evaluate(() => { location.hash = "#t=12"; });
  await page.waitForFunction(() => squall.view.selected === 12);
  await page.locator("#table tbody tr").first().click();
  const turn = Number(await page.locator("#table tbody tr").first().getAttribute("data-turn"));
  assert.equal(await selected(page), turn, "a row leads to its turn");
  await page.done();
}

// Pictures to be looked at, and what can be measured of them: nothing is wider than its window.
async function sizes(file, name) {
  const sizes = [[1440, 900], [800, 600]].flatMap(([width, height]) => ["light", "dark"].map((scheme) => [width, height, scheme]));
  for (const [width, height, colorScheme] of sizes) {
    const page = await open(file, { width, height, colorScheme });
    await page.keyboard.press("v");
    await page.waitForTimeout(100);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, "nothing sticks out");
    await page.screenshot({ path: join(shots, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    await accessible(page, `${name} at ${width} in ${colorScheme}`);
    await page.done();
  }
}

async function hostile(file) {
  const evil = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
  const page = await open(patched(file, "data-failure", (json) => {
    const failure = JSON.parse(json);
    failure.verdict = failure.finding.property = evil;
    failure.proof.lines.push(evil);
    for (const row of failure.table.rows) { row.io = evil; row.cells = row.cells.map(() => evil); }
    return JSON.stringify(failure).replaceAll("<", "\\u003c");
  }));
  assert.equal(await page.textContent("#sentence"), evil, "it stays text");
  assert.equal(await page.locator("img").count(), 0);
  assert.notEqual(await page.title(), "owned");
  await page.done();
  const run = longRun(500);
  run.words[2] = run.words[6] = evil;
  const traced = await open(patched(file, "data-trace", () => traceFile({ turns: run.turns }, run.facts, run.words).toString("base64")));
  for (let n = 0; n < 30; n++) await traced.keyboard.press("ArrowRight");
  assert.match(await traced.textContent("#panel"), /onerror/, "the engine's words are shown");
  assert.equal(await traced.locator("img").count(), 0);
  assert.notEqual(await traced.title(), "owned");
  await traced.done();
}

async function damaged(file) {
  const bytes = (text) => Buffer.from(text, "base64");
  const check = async (change, expected) => {
    const page = await open(patched(file, "data-trace", change), { ready: false });
    await page.waitForFunction(() => !document.getElementById("notice").hidden);
    assert.match(await page.textContent("#notice"), expected);
    assert.ok((await page.textContent("#sentence")).length > 10, "what is not the trace is shown all the same");
    await page.done();
  };
  const run = longRun(200_000), whole = traceFile({ turns: run.turns }, run.facts, run.words);
  await check(() => whole.subarray(0, whole.length * 0.8).toString("base64"), /not whole: it is cut off/);
  await check(() => { const copy = Buffer.from(whole); copy[copy.length - 3000] ^= 1; return copy.toString("base64"); }, /not whole: a block does not have the checksum/);
  await check((text) => { const copy = bytes(text.trim()); copy[8] = 9; return copy.toString("base64"); }, /version 9, and this page reads versions up to 1/);
  await check(() => "AAAA", /is no trace/);
  await check(() => "###", /damaged/);
}

async function long(file) {
  const run = longRun(EVENTS), trace = traceFile({ turns: run.turns, level: "io" }, run.facts, run.words);
  const big = patched(file, "data-trace", () => trace.toString("base64")), length = readFileSync(big).length;
  assert.ok(length < PAGE_BYTES_MAX, `${length} bytes`);
  const page = await open(big);
  const paints = await page.evaluate(() => ({ text: performance.getEntriesByName("first-contentful-paint")[0].startTime, all: performance.getEntriesByName("squall-ready")[0].startTime }));
  // Every fault is seen from the farthest: a column of its lane's canvas has its colour.
  const seen = await page.evaluate(() => {
    const chart = squall.view.charts[0], lane = chart.lanes.find((each) => each.name === "faults"), pen = chart.canvas.getContext("2d"), ratio = devicePixelRatio;
    const scale = (chart.canvas.clientWidth - 108) / (squall.view.to - squall.view.from);
    return lane.points.every((point) => { const x = Math.floor((108 + (point.turn + .5 - squall.view.from) * scale) * ratio), data = pen.getImageData(x - 1, (lane.top + 2) * ratio, 3, 1).data; return data[0] > 150 && data[1] < 90; });
  });
  assert.ok(seen, "no fault vanishes");
  await page.evaluate(() => { squall.view.frames.length = 0; });
  for (const key of ["0", "+", "+", "Shift+ArrowRight", "+", "Shift+ArrowRight", "Shift+ArrowLeft", "-", "+", "+", "+", "+", "]", "]", "f", "f", "f", "0", "-", "+", "Shift+ArrowRight", "v", "ArrowRight", "ArrowRight", "0"]) {
    await page.keyboard.press(key);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
  }
  const frames = (await page.evaluate(() => squall.view.frames)).sort((one, other) => one - other), slow = frames[Math.floor(frames.length * 0.95)];
  console.log(`long: ${EVENTS} events, ${(length / 1e6).toFixed(1)} MB, text after ${paints.text.toFixed(0)} ms, timeline after ${paints.all.toFixed(0)} ms, frames p95 ${slow.toFixed(1)} ms`);
  if (!process.env.SQUALL_SLOW_MACHINE) {
    assert.ok(paints.all < PAINT_MS_MAX, "the timeline is painted in time");
    assert.ok(slow < FRAME_MS_MAX, "frames are fast");
  }
  await page.done();
}

const reports = readdirSync(join(room, "out"), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
assert.ok(reports.length >= 6, `${reports.length} reports`);
const one = join(room, "out", reports.find((name) => name.includes("lost-update")) || reports[0], "report.html");
await everyReport(reports);
console.log(`reports: ${reports.length} pages say what their failure.json says`);
await keysSearchAndLinks(one);
await sizes(one, "one");
await hostile(one);
await damaged(one);
console.log("keys, search, links, sizes, hostile and damaged data: as expected");
await long(one);
await browser.close();
