// Opens pages in Chromium and says what is wrong with each, in both colour schemes and at two widths.
//
// node look.cjs JOB.json: {browser, pages: {name: file}, shots: a folder for screenshots and prints, or null}
// It needs the packages playwright-core and axe-core, which are looked for in NODE_PATH and node_modules.
// It prints {name: [{scheme, width, requests, wide, faults, passes, height, first, printed}]}.
const fs = require("fs");
const { pathToFileURL } = require("url");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const RULES = { runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] } };

// What is wider than the window, outside of the boxes that scroll; and where the first screen ends.
function measure() {
  const boxes = [...document.querySelectorAll("main *, footer *")].filter(
    e => !e.closest(".scroll") && !e.closest("svg") && e.getBoundingClientRect().right > innerWidth + 1);
  const below = [...document.querySelectorAll("h2")].find(h => !h.closest("section"));
  return {
    wide: document.documentElement.scrollWidth > innerWidth ? ["the page"] : boxes.map(e => e.tagName),
    height: document.documentElement.scrollHeight,
    first: below ? Math.round(below.getBoundingClientRect().top) : null,
  };
}

async function folds(page, open) {
  await page.evaluate(state => document.querySelectorAll("details").forEach(e => { e.open = state; }), open);
}

// How many sheets the page takes as it is, with its folds opened by hand, and with its rules for print left out.
async function print(page, job, name) {
  const sheets = pdf => pdf.toString("latin1").split(/\/Type\s*\/Page\b(?!s)/).length - 1;
  const folded = await page.pdf({ format: "A4" });
  if (job.shots) fs.writeFileSync(`${job.shots}/${name}.pdf`, folded);
  await folds(page, true);
  const opened = await page.pdf({ format: "A4" });
  await page.evaluate(() => {
    document.querySelectorAll("details").forEach(e => { e.open = false; });
    for (const sheet of document.styleSheets)
      [...sheet.cssRules].map((rule, i) => [rule, i]).reverse().forEach(
        ([rule, i]) => { if (rule.media && rule.media.mediaText === "print") sheet.deleteRule(i); });
  });
  const without = await page.pdf({ format: "A4" });
  return { folded: sheets(folded), opened: sheets(opened), without: sheets(without) };
}

async function look(context, job, name, scheme, width) {
  const page = await context.newPage();
  const requests = [];
  page.on("request", request => requests.push(request.url()));
  const address = pathToFileURL(job.pages[name]).href;
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme: scheme });
  await page.goto(address);
  const found = await page.evaluate(measure);
  await folds(page, true);
  await page.evaluate(axe);
  const checked = await page.evaluate(rules => axe.run(document, rules), RULES);
  const faults = checked.violations.map(
    v => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(" | ")}`);
  await folds(page, false);
  if (job.shots) await page.screenshot({ path: `${job.shots}/${name}-${scheme}-${width}.png`, fullPage: true });
  const printed = scheme === "light" && width === 1280 ? await print(page, job, name) : null;
  await page.close();
  return { scheme, width, faults, printed, passes: checked.passes.length,
    requests: requests.filter(each => each !== address && !each.startsWith("data:")), ...found };
}

async function main() {
  const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
  const browser = await chromium.launch({ executablePath: job.browser, args: FLAGS });
  const context = await browser.newContext();
  const found = {};
  for (const name of Object.keys(job.pages)) {
    found[name] = [];
    for (const scheme of ["light", "dark"])
      for (const width of [1280, 390]) found[name].push(await look(context, job, name, scheme, width));
  }
  await browser.close();
  console.log(JSON.stringify(found));
}

main().catch(error => { console.error(String(error)); process.exit(1); });
