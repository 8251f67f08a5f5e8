/**
 * A bench run as one self-contained page: what had to be reached, a chart and a table for each figure, latencies by
 * percentile, and what it ran on. Pure, but for the chart library that it carries along.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  type BenchResult,
  figuresOf,
  find,
  type Metric,
  ratioOf,
  type ScenarioResult,
  spreadOf,
  verdicts,
} from '../result.js';
import { digits, figure, goalText, range } from './figures.js';

/** What the script in the page draws. */
interface Chart {
  readonly id: string;
  readonly kind: 'bar' | 'line';
  readonly unit: string;
  readonly labels: readonly string[];
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
  readonly logarithmic: boolean;
}

const PERCENTILES = ['p50', 'p90', 'p99', 'p999', 'max'] as const;
const percentileNames = ['50 %', '90 %', '99 %', '99.9 %', 'most'];
/** From the largest to the smallest figure: beyond this, small ones would not be seen. */
const LOGARITHMIC_FROM = 30;

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string | number) => String(text).replace(/[&<>"]/g, (char) => escapes[char]!);

function isWide(series: Chart['series']): boolean {
  const values = series.flatMap((one) => one.values.filter((value): value is number => value !== null && value > 0));
  return values.length > 0 && Math.max(...values) / Math.min(...values) > LOGARITHMIC_FROM;
}

function chart(
  id: string,
  kind: Chart['kind'],
  unit: string,
  labels: readonly string[],
  series: Chart['series'],
): Chart {
  return { id, kind, unit, labels, series, logarithmic: isWide(series) };
}

const unique = (names: readonly string[]) => [...new Set(names)];

function metricChart(result: ScenarioResult, metric: Metric): Chart {
  const measured = result.measurements.filter((one) => figuresOf(one, metric.key).length > 0);
  const cases = unique(measured.map((one) => one.case));
  const targets = unique(measured.map((one) => one.target));
  const series = targets.map((target) => ({
    name: target,
    values: cases.map((name) => {
      const measurement = find(result, name, target);
      const { median } = spreadOf(measurement === undefined ? [] : figuresOf(measurement, metric.key));
      return Number.isNaN(median) ? null : median;
    }),
  }));
  return chart(`${result.name}-${metric.key}`, 'bar', metric.unit, cases, series);
}

/** How the node compares with each baseline, by case. */
function ratioChart(result: ScenarioResult, metric: Metric): Chart | null {
  const others = unique(result.measurements.map((one) => one.target)).filter((target) => target !== 'node');
  const cases = unique(result.measurements.map((one) => one.case));
  const series = others.map((target) => ({
    name: `node / ${target}`,
    values: cases.map((name) => {
      const [node, other] = [find(result, name, 'node'), find(result, name, target)];
      const ratio = node && other ? ratioOf(node, other, metric.key).median : Number.NaN;
      return Number.isFinite(ratio) ? ratio : null;
    }),
  }));
  const isMeasured = series.some(({ values }) => values.some((value) => value !== null));
  return isMeasured ? chart(`${result.name}-${metric.key}-ratio`, 'bar', '×', cases, series) : null;
}

function latencyChart(result: ScenarioResult): Chart | null {
  const series = result.measurements.flatMap((measurement) => {
    const runs = measurement.runs.flatMap(({ latencyUs }) => (latencyUs === undefined ? [] : [latencyUs]));
    if (runs.length === 0) return [];
    const values = PERCENTILES.map((name) => spreadOf(runs.map((run) => run[name] ?? Number.NaN)).median);
    return [{ name: `${measurement.target}, ${measurement.case}`, values }];
  });
  return series.length === 0 ? null : chart(`${result.name}-latency`, 'line', 'µs', percentileNames, series);
}

/** How figures went, a chart for each. */
function courseCharts(result: ScenarioResult): (readonly [Chart, title: string])[] {
  const runs = result.measurements.flatMap(({ target, runs }) =>
    runs.flatMap(({ courses = [] }) => courses.map((course) => ({ target, course }))),
  );
  return runs.map(({ target, course: { title, unit, minutes, values } }, i) => {
    const labels = minutes.map((minute) => `${digits(minute)} min`);
    return [chart(`${result.name}-course-${i}`, 'line', unit, labels, [{ name: target, values }]), `${title}, ${unit}`];
  });
}

function metricTable(result: ScenarioResult, metric: Metric): string {
  const rows = result.measurements.flatMap((measurement) => {
    const figures = figuresOf(measurement, metric.key);
    if (figures.length === 0) return [];
    const spread = spreadOf(figures);
    const node = find(result, measurement.case, 'node');
    const ratio = node === undefined || node === measurement ? null : ratioOf(node, measurement, metric.key);
    const cores = (key: 'cores' | 'loadCores') => spreadOf(measurement.runs.flatMap((run) => run[key] ?? [])).median;
    const cells = [
      escaped(measurement.case),
      escaped(measurement.target),
      figure(spread.median, metric.unit),
      range(spread, metric.unit),
      ratio === null || !Number.isFinite(ratio.median) ? '' : `${digits(ratio.median)} ×`,
      ...(['cores', 'loadCores'] as const).map((key) => (Number.isNaN(cores(key)) ? '' : digits(cores(key)))),
    ];
    return [`<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`];
  });
  const heads = ['case', 'program', 'median', 'spread', 'node is', 'cores', 'load cores'];
  return `<details><summary>Figures</summary><table><thead><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></details>`;
}

function canvas({ id, labels, series }: Chart, title: string): string {
  const isTall = labels.length * series.length > 40;
  return `<figure><figcaption>${escaped(title)}</figcaption><div class="chart${isTall ? ' tall' : ''}"><canvas id="${escaped(id)}"></canvas></div></figure>`;
}

function goalList(result: ScenarioResult): string {
  const items = verdicts(result).map(({ goal, reached, isMet }) => {
    const metric = result.metrics.find(({ key }) => key === goal.metric)!;
    const what = goal.compare === 'ratio' ? `${digits(reached)} ×` : figure(reached, metric.unit);
    const text = `${goal.case}: ${metric.title} ${goalText(goal, metric)}`;
    return `<li class="${isMet ? 'met' : 'missed'}"><b>${escaped(what)}</b> ${escaped(text)}</li>`;
  });
  return items.length === 0 ? '' : `<ul class="goals">${items.join('')}</ul>`;
}

function section(result: ScenarioResult, charts: Chart[]): string {
  const parts = result.metrics.flatMap((metric) => {
    if (result.measurements.every((one) => figuresOf(one, metric.key).length === 0)) return [];
    const absolute = metricChart(result, metric);
    const ratio = ratioChart(result, metric);
    charts.push(absolute, ...(ratio === null ? [] : [ratio]));
    const drawn = [
      canvas(absolute, `${metric.title}, ${metric.unit}; ${metric.better} is better`),
      ratio === null ? '' : canvas(ratio, `${metric.title}: the node against others`),
    ];
    return [`<div class="pair">${drawn.join('')}</div>${metricTable(result, metric)}`];
  });
  const latency = latencyChart(result);
  if (latency !== null) {
    charts.push(latency);
    parts.push(canvas(latency, 'latency by percentile, µs; less is better'));
  }
  const courses = courseCharts(result);
  if (courses.length > 0) {
    charts.push(...courses.map(([one]) => one));
    parts.push(`<div class="pair">${courses.map(([one, title]) => canvas(one, title)).join('')}</div>`);
  }
  const notes = result.notes.map(
    (note) => `<p class="note">${escaped(note).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`,
  );
  return `<section id="${escaped(result.name)}"><h2>${escaped(result.name)}</h2><p>${escaped(result.title)}</p>${goalList(result)}${parts.join('')}${notes.join('')}</section>`;
}

function chartLibrary(): string {
  const main = createRequire(import.meta.url).resolve('chart.js');
  return readFileSync(join(dirname(main), 'chart.umd.min.js'), 'utf8').replace(/<\/script/g, '<\\/script');
}

/** The page. */
export function pageOf(result: BenchResult): string {
  const charts: Chart[] = [];
  const sections = result.scenarios.map((scenario) => section(scenario, charts));
  const facts = { ...result.machine, ...result.settings, started: result.startedAt };
  const factList = Object.entries(facts).map(
    ([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(String(value))}</dd>`,
  );
  const links = result.scenarios.map(({ name }) => `<a href="#${escaped(name)}">${escaped(name)}</a>`);
  const data = JSON.stringify(charts).replace(/</g, '\\u003c');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>paw-p2p bench, ${escaped(result.startedAt.slice(0, 10))}</title><style>${style}</style></head><body>
<header><h1>paw-p2p bench</h1><dl>${factList.join('')}</dl><nav>${links.join('')}</nav>
<p class="note">Medians of ${escaped(String(result.settings.rounds))} rounds; the programs of a case run in turn. Ratios carry over to other machines, absolute figures do not. The load runs on the same machine; the cores that it took stand beside those of the program.</p></header>
<main>${sections.join('')}</main>
<script>${chartLibrary()}</script><script>const charts=${data};${script}</script></body></html>
`;
}

const style = `
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6678;--line:#d9dee7;--paper:#fff;--panel:#f6f8fb;--good:#1a7f4b;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf2;--soft:#9aa6b8;--line:#323a48;--paper:#12161d;--panel:#1a202a;--good:#5fd39a;--bad:#ff8f85}}
*{box-sizing:border-box}body{margin:0 auto;max-width:76rem;padding:2rem 1.25rem 4rem;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{margin:0 0 1rem;font-size:1.7rem}h2{margin:0;font-size:1.3rem}section{margin-top:2.5rem;padding-top:1.5rem;border-top:1px solid var(--line)}section>p{margin:.2rem 0 1rem;color:var(--soft)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.7rem 1.2rem;margin:0 0 1rem}dt{color:var(--soft);font-size:.8rem}dd{margin:0;font-weight:600;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:.4rem .9rem;margin:1rem 0}a{color:inherit}.note{color:var(--soft);font-size:.88rem}code{font-family:ui-monospace,monospace}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:1.2rem}figure{margin:0 0 .6rem;padding:1rem;background:var(--panel);border-radius:.6rem}figcaption{margin-bottom:.6rem;font-size:.88rem;color:var(--soft)}
.chart{position:relative;height:20rem}.chart.tall{height:28rem}
.goals{list-style:none;margin:0 0 1.2rem;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:.4rem 1rem}.goals li{padding:.45rem .7rem;border-left:.25rem solid;background:var(--panel);border-radius:.3rem;font-size:.9rem}.goals .met{border-color:var(--good)}.goals .missed{border-color:var(--bad)}.met b{color:var(--good)}.missed b{color:var(--bad)}
details{margin:.2rem 0 1.4rem;overflow-x:auto}summary{cursor:pointer;color:var(--soft)}table{border-collapse:collapse;margin-top:.6rem;font-size:.88rem;width:100%}th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}`;

const script = `
const css=getComputedStyle(document.documentElement),ink=css.getPropertyValue('--soft'),line=css.getPropertyValue('--line');
const colours=['#2f6fed','#e08a1e','#8b5cf6','#14a38b','#d6457f','#7a8699','#4aa3df','#a3a11e','#c2553a','#5a9e3e'];
const colourOf=(name,i)=>name==='node'||name.startsWith('node,')?colours[0]:colours[1+i%(colours.length-1)];
const short=(v,unit)=>{if(v===null)return'';const n=Math.abs(v);const three=x=>Math.abs(x)>=100?x.toFixed(0):Math.abs(x)>=10?x.toFixed(1):+x.toFixed(2);
if(unit==='bytes')return n>=1024?three(v/1024)+' KiB':three(v)+' B';if(unit==='µs')return n>=1e6?three(v/1e6)+' s':n>=1000?three(v/1000)+' ms':three(v)+' µs';
if(unit==='×')return three(v)+' ×';if(unit==='ms')return n>=1000?three(v/1000)+' s':three(v)+' ms';return n>=1e6?three(v/1e6)+' M':n>=1000?three(v/1000)+' k':String(three(v));};
Chart.defaults.color=ink;Chart.defaults.borderColor=line;Chart.defaults.font.family='system-ui,sans-serif';Chart.defaults.animation=false;
for(const {id,kind,unit,labels,series,logarithmic} of charts){
const others=series.filter(s=>!(s.name==='node'||s.name.startsWith('node,')));
new Chart(document.getElementById(id),{type:kind,data:{labels,datasets:series.map(s=>{const colour=colourOf(s.name,Math.max(0,others.indexOf(s)));
return{label:s.name,data:s.values,backgroundColor:colour,borderColor:colour,borderWidth:kind==='line'?2:0,borderRadius:3,pointRadius:labels.length>20?0:3,tension:.15,maxBarThickness:46}})},
options:{responsive:true,maintainAspectRatio:false,interaction:{mode:'index',intersect:false},plugins:{legend:{position:'bottom',labels:{boxWidth:12}},tooltip:{callbacks:{label:c=>c.dataset.label+': '+short(c.raw,unit)}}},
scales:{x:{grid:{display:false}},y:{type:logarithmic?'logarithmic':'linear',beginAtZero:!logarithmic,ticks:{callback:v=>logarithmic&&!/^[125]0*(\\.0+)?$|^0\\.0*[125]$/.test(String(v))?'':short(v,unit)},title:{display:logarithmic,text:'logarithmic'}}}}});}
`;
