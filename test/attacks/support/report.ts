/** What an attack came to: a line for people, and with PAW_ATTACK_REPORT a file of JSON lines. */
import { appendFileSync } from 'node:fs';

export interface Times {
  readonly count: number;
  readonly unanswered: number;
  readonly outOfOrder: number;
  readonly worstMs: number;
  readonly p99Ms: number;
}

export interface Visits {
  readonly count: number;
  readonly refused: number;
  readonly unanswered: number;
  readonly worstMs: number;
}

export interface Figures {
  readonly attack: string;
  readonly seconds: number;
  readonly pings: Times;
  readonly messages: Times;
  readonly news: Times;
  readonly visits: Visits;
  readonly residentMib: { readonly before: number; readonly peak: number; readonly after: number };
  readonly budgetUsedMib: number;
  /** Of one core. */
  readonly cpuShare: number;
  readonly loopLagMs: number;
  readonly workerLagMs: number;
  /** The slowest answer of `GET /status`. */
  readonly adminMs: number;
  /** Until connections and descriptors were what they had been. */
  readonly settledMs: number;
  /** What the attackers say they did. */
  readonly attackers: unknown;
}

const ms = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

export function report(figures: Figures): void {
  const { attack, seconds, pings, messages, news, visits, residentMib, attackers } = figures;
  const parts = [
    `ping worst ${ms(pings.worstMs)}, p99 ${ms(pings.p99Ms)} of ${pings.count}`,
    `messages worst ${ms(messages.worstMs)} of ${messages.count}`,
    ...(news.count > 0 ? [`news worst ${ms(news.worstMs)} of ${news.count}`] : []),
    `visits worst ${ms(visits.worstMs)}, ${visits.refused + visits.unanswered} of ${visits.count} in vain`,
    `RSS ${residentMib.before} to ${residentMib.peak} MiB (${figures.budgetUsedMib} of the budget)`,
    `CPU ${Math.round(figures.cpuShare * 100)}%`,
    `loop lag ${ms(figures.loopLagMs)}, worker lag ${ms(figures.workerLagMs)}, admin ${ms(figures.adminMs)}`,
    `settled in ${ms(figures.settledMs)}`,
    JSON.stringify(attackers),
  ];
  process.stdout.write(`${attack} (${seconds.toFixed(1)} s): ${parts.join('; ')}\n`);
  const file = process.env.PAW_ATTACK_REPORT;
  if (file !== undefined && file !== '') appendFileSync(file, `${JSON.stringify(figures)}\n`);
}
