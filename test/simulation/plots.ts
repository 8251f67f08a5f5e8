/** `npm run simulate:plots`: draws what `docs/simulation/study.json` holds as pictures beside it, with the machine's Chromium. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { StudyEntry } from './study-main.js';

const folder = fileURLToPath(new URL('../../../docs/simulation/', import.meta.url));
const entries = JSON.parse(readFileSync(path.join(folder, 'study.json'), 'utf8')) as StudyEntry[];
const of = (name: StudyEntry['name']) => entries.filter((entry) => entry.name === name);

interface Plot {
  readonly file: string;
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly logarithmic?: boolean;
  readonly lines: readonly { readonly label: string; readonly points: readonly { x: number; y: number }[] }[];
}

function line(
  label: string,
  from: readonly StudyEntry[],
  x: (entry: StudyEntry) => number,
  y: (entry: StudyEntry) => number,
) {
  const groups = new Map<number, StudyEntry[]>();
  for (const entry of from) groups.set(x(entry), [...(groups.get(x(entry)) ?? []), entry]);
  const points = [...groups].map(([at, entries]) => ({
    x: at,
    y: entries.reduce((sum, one) => sum + y(one), 0) / entries.length,
  }));
  return { label, points: points.sort((a, b) => a.x - b.x) };
}

const size = ({ options }: StudyEntry) => options.nodes;
const share = ({ options }: StudyEntry) => (100 * options.attackers) / options.nodes;
const few = of('eclipse').filter(({ options }) => options.attackerGroups < options.attackers);
const many = of('eclipse').filter(({ options }) => options.attackerGroups === options.attackers);
const fanout = ({ options, result }: StudyEntry) =>
  options.fanout === 'all' ? Math.round(result.peers) : options.fanout;

const plots: readonly Plot[] = [
  {
    file: 'spread.png',
    title: 'Time of a broadcast, passed on to all peers',
    x: 'nodes',
    y: 'simulated ms',
    logarithmic: true,
    lines: [
      line('half of the nodes have it', of('size'), size, ({ result }) => result.spreadMs.half),
      line('95%', of('size'), size, ({ result }) => result.spreadMs.most),
      line('all', of('size'), size, ({ result }) => result.spreadMs.all),
    ],
  },
  {
    file: 'fanout.png',
    title: 'Fan-out in a network of 300: copies beyond the first',
    x: 'peers that a message is passed on to (the last: all)',
    y: 'duplicates per node and message',
    lines: [line('duplicates', of('fanout'), fanout, ({ result }) => result.duplicates)],
  },
  {
    file: 'missed.png',
    title: 'Fan-out in a network of 300: nodes that a message misses',
    x: 'peers that a message is passed on to (the last: all)',
    y: '% of nodes',
    lines: [line('missed', of('fanout'), fanout, ({ result }) => 100 * result.missed)],
  },
  {
    file: 'books.png',
    title: 'Address books after half a minute',
    x: 'nodes',
    y: 'addresses',
    logarithmic: true,
    lines: [
      line('known', of('size'), size, ({ result }) => result.book.known),
      line('tried', of('size'), size, ({ result }) => result.book.known * result.book.tried),
    ],
  },
  {
    file: 'eclipse.png',
    title: 'An attacker with a share of all addresses',
    x: '% of the addresses',
    y: '%',
    lines: [
      line('outbound peers that are his, 4 netgroups', few, share, ({ result }) => 100 * result.attackerOutbound),
      line('outbound peers that are his, a netgroup each', many, share, ({ result }) => 100 * result.attackerOutbound),
      line('nodes that he surrounds, 4 netgroups', few, share, ({ result }) => 100 * result.surrounded),
      line('nodes that he surrounds, a netgroup each', many, share, ({ result }) => 100 * result.surrounded),
    ],
  },
];

const library = readFileSync(
  path.join(path.dirname(createRequire(import.meta.url).resolve('chart.js')), 'chart.umd.js'),
  'utf8',
);
const colours = ['#1f5fbf', '#c4541a', '#2c7a3f', '#7a3f9c'];

const root = process.getuid?.() === 0;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: root ? ['--no-sandbox'] : [],
});
const page = await browser.newPage({ viewport: { width: 720, height: 380 } });
for (const plot of plots) {
  // What was not run is not drawn.
  if (plot.lines.every(({ points }) => points.length < 2)) continue;
  await page.setContent(
    '<body style="margin:0;background:#fff"><canvas id="c" width="720" height="380"></canvas></body>',
  );
  await page.addScriptTag({ content: library });
  const scale = (title: string) => ({
    type: plot.logarithmic === true ? 'logarithmic' : 'linear',
    title: { display: true, text: title },
    beginAtZero: true,
  });
  const config = {
    type: 'line',
    data: {
      datasets: plot.lines.map(({ label, points }, i) => ({
        label,
        data: points,
        borderColor: colours[i],
        backgroundColor: colours[i],
        borderWidth: 2,
      })),
    },
    options: {
      animation: false,
      responsive: false,
      plugins: { title: { display: true, text: plot.title }, legend: { position: 'bottom' } },
      scales: {
        x: { ...scale(plot.x), type: plot.logarithmic === true ? 'logarithmic' : 'linear' },
        y: { ...scale(plot.y), type: 'linear' },
      },
    },
  };
  await page.addScriptTag({ content: `new Chart(document.getElementById('c'), ${JSON.stringify(config)});` });
  writeFileSync(path.join(folder, plot.file), await page.screenshot());
  process.stdout.write(`${plot.file}\n`);
}
await browser.close();
