// Opens the pages that TestPagesForBrowsers has written to REPORT_PAGES in CHROMIUM. With REPORT_SHOTS=DIR it also leaves
// pictures and PDF files there, for a person to look at.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const pages = process.env.REPORT_PAGES;
const shots = process.env.REPORT_SHOTS;
const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const large = 50_000;

let browser;

before(async () => {
  // Chromium has no sandbox of its own where root starts it, as in containers. What it opens here is ours.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, headless: true, args });
});

after(() => browser?.close());

// open returns the page and what it asked for, said and ran that it should not have.
async function open(name, { width = 1280, dark = false, scripts = true, bypass = false } = {}) {
  const page = await browser.newPage();
  const url = pathToFileURL(path.join(pages, name)).href;
  const wrong = [];

  page.on("request", (r) => { if (r.url() !== url) wrong.push("request " + r.url()); });
  page.on("console", (m) => wrong.push("console " + m.text()));
  page.on("pageerror", (e) => wrong.push("error " + e));
  page.on("dialog", (d) => { wrong.push("dialog " + d.message()); d.dismiss(); });
  page.on("popup", () => wrong.push("popup"));

  await page.setJavaScriptEnabled(scripts);
  await page.setBypassCSP(bypass);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
  await page.goto(url, { waitUntil: "load" });

  return { page, wrong };
}

async function violations(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const found = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(" | ")}`);
  });
}

const looks = [{ width: 1280 }, { width: 1280, dark: true }, { width: 390 }, { width: 390, dark: true }];

for (const name of ["everything.html", "empty.html", "hostile.html"]) {
  for (const look of looks) {
    test(`${name} at ${look.width} px${look.dark ? ", dark" : ""}`, async () => {
      const { page, wrong } = await open(name, { ...look, bypass: true }); // axe-core is a script that the page forbids.
      assert.deepEqual(await violations(page), []);
      assert.deepEqual(wrong, []);

      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= look.width, `the page is ${width} px wide`);

      if (shots) {
        const file = path.join(shots, `${name}-${look.width}${look.dark ? "-dark" : ""}.png`);
        await page.screenshot({ path: file, clip: { x: 0, y: 0, width: look.width, height: 5000 }, captureBeyondViewport: true });
      }
      await page.close();
    });
  }
}

test("axe-core finds what is wrong", async () => {
  const { page } = await open("everything.html", { bypass: true });
  await page.evaluate(() => {
    document.documentElement.removeAttribute("lang");
    document.querySelector("label").remove();
  });
  const found = (await violations(page)).join("\n");
  assert.match(found, /html-has-lang/);
  assert.match(found, /label/);
  await page.close();
});

test("hostile texts are texts", async () => {
  const { page, wrong } = await open("hostile.html");
  await page.type("#q", "script");
  await page.waitForFunction(() => document.getElementById("state").textContent !== "");
  await page.evaluate(() => document.querySelectorAll("#entries th button")[1].click());

  const foreign = await page.evaluate(() => ({
    scripts: document.scripts.length,
    elements: document.querySelectorAll("img, iframe, object, embed, link, base, video, audio, svg script, meta[http-equiv=refresh]").length,
    handlers: Array.from(document.querySelectorAll("*")).filter((e) => Array.from(e.attributes).some((a) => a.name.startsWith("on"))).length,
    links: Array.from(document.links).filter((a) => !a.getAttribute("href").startsWith("#")).length,
    cell: Array.from(document.querySelectorAll("#entries tbody td:nth-child(6)")).some((td) => td.textContent.includes("<script>fetch(")),
  }));
  assert.deepEqual(foreign, { scripts: 1, elements: 0, handlers: 0, links: 0, cell: true });
  assert.deepEqual(wrong, []);
  await page.close();
});

test("the policy forbids what is not in the page", async () => {
  const { page, wrong } = await open("everything.html");
  const answers = [];
  page.on("response", (r) => answers.push(r.url()));
  const ran = await page.evaluate(async () => {
    const add = (name, attributes, text = "") => {
      const e = Object.assign(document.createElement(name), { textContent: text });
      for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
      document.body.append(e);
    };
    add("script", {}, "globalThis.injected = true");
    add("img", { src: "https://evil.example/a.png" });
    add("iframe", { src: "https://evil.example/" });
    add("p", { style: "position:fixed", id: "styled" });
    const fetched = await fetch("https://evil.example/").then(() => true, () => false);
    return { injected: globalThis.injected === true, fetched, position: getComputedStyle(document.getElementById("styled")).position };
  });
  assert.deepEqual(ran, { injected: false, fetched: false, position: "static" });

  assert.deepEqual(answers, []);
  assert.ok(wrong.some((w) => w.includes("Content Security Policy")), wrong.join("\n"));
  await page.close();
});

test("lines are sorted and found by keyboard", async () => {
  const { page, wrong } = await open("everything.html");
  const head = () => page.$$eval("#entries thead th", (all) => all.map((th) => th.getAttribute("aria-sort")));
  const column = (n) => page.$$eval(`#entries tbody td:nth-child(${n})`, (all) => all.map((td) => td.textContent));
  const state = () => page.$eval("#state", (e) => e.textContent);

  const ids = await column(7);
  assert.equal(ids.length, 120);

  await page.focus("#q");
  await page.keyboard.press("Tab"); // time
  await page.keyboard.press("Tab"); // actor
  await page.keyboard.press("Enter");
  assert.deepEqual(await head(), [null, "ascending", null, null, null, null, null]);
  const actors = await column(2);
  assert.deepEqual(actors, [...actors].sort(new Intl.Collator("en", { numeric: true }).compare));
  assert.equal(await state(), "All 120 entries are shown, sorted by actor, ascending.");

  await page.keyboard.press("Space");
  assert.equal((await head())[1], "descending");

  await page.type("#q", "ANNA example");
  await page.waitForFunction(() => Array.from(document.querySelectorAll("#entries tbody tr"))
    .every((tr) => tr.textContent.toLowerCase().includes("anna") && tr.textContent.includes("example")));
  const found = await page.$$eval("#entries tbody tr", (all) => all.map((tr) => tr.textContent.toLowerCase()));
  assert.ok(found.length > 0 && found.length < 120);
  assert.match(await state(), new RegExp(`^${found.length} of 120 entries are shown`));

  await page.$eval("#q", (e) => { e.value = ""; e.form.requestSubmit(); });
  await page.evaluate(() => document.querySelectorAll("#entries th button")[0].click());
  assert.deepEqual(await column(7), ids);
  assert.deepEqual(wrong, []);
  await page.close();
});

test("without scripts all entries are there", async () => {
  const { page, wrong } = await open("everything.html", { scripts: false });
  assert.equal((await page.$$("#entries tbody tr")).length, 120);
  assert.equal((await page.$$("button")).length, 0);
  assert.equal(await page.$eval("#tools", (e) => getComputedStyle(e).display), "none");
  assert.deepEqual(wrong, []);
  await page.close();
});

test("a page prints", async () => {
  const { page } = await open("everything.html");
  await page.emulateMediaType("print");
  const display = await page.evaluate(() => ({
    nav: getComputedStyle(document.querySelector("nav")).display,
    body: getComputedStyle(document.querySelector("#entries tbody")).display,
    skipped: getComputedStyle(document.querySelector("#entries tbody")).contentVisibility,
    // With a button in it the head of a table would not be repeated on each page.
    button: getComputedStyle(document.querySelector("#entries th button")).display,
  }));
  assert.deepEqual(display, { nav: "none", body: "table-row-group", skipped: "visible", button: "contents" });

  const file = shots ? path.join(shots, "everything.pdf") : undefined;
  const pdf = await page.pdf({ path: file, preferCSSPageSize: true, printBackground: true });
  assert.ok(pdf.length > 10_000);
  await page.close();
});

test("a page of many entries opens", async (t) => {
  const size = fs.statSync(path.join(pages, "large.html")).size;
  assert.ok(size < 40e6, `it has ${size} bytes`);

  const begun = performance.now();
  const { page, wrong } = await open("large.html");
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  t.diagnostic(`${large} entries, ${(size / 1e6).toFixed(1)} MB, are seen after ${((performance.now() - begun) / 1000).toFixed(2)} s`);

  // How long that takes depends on the machine. That lines out of sight are not laid out does not.
  const seen = await page.evaluate(() => {
    const bodies = Array.from(document.querySelectorAll("#entries tbody"));
    const laidOut = bodies.filter((b) => b.rows[0].checkVisibility({ contentVisibilityAuto: true }));
    return { rows: bodies.reduce((n, b) => n + b.rows.length, 0), few: laidOut.length <= 2 };
  });
  assert.deepEqual(seen, { rows: large, few: true });
  assert.deepEqual(wrong, []);
  await page.close();
});
