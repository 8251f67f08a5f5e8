/**
 * Owns what the node's doctor found, the worst first. Browser.
 */
import type { DoctorReport, Finding, FindingLevel } from '../../api.js';
import { arrange, byId, make, mark, setText, setTextOf } from './element.js';
import { counted, timeOfDay } from './format.js';
import type { CallError } from './node-client.js';

const worstFirst: readonly FindingLevel[] = ['fail', 'warn', 'unknown', 'ok'];

/** One finding on the page. It stays the same element, so that what the reader opened stays open. */
interface Entry {
  readonly item: HTMLLIElement;
  readonly details: HTMLDetailsElement;
  readonly level: HTMLElement;
  readonly summary: HTMLElement;
  readonly evidence: HTMLUListElement;
  readonly remedy: HTMLElement;
}

export class DoctorPanel {
  readonly #list = byId('doctor-findings', HTMLUListElement);
  readonly #state = byId('doctor-state', HTMLElement);
  #entries = new Map<string, Entry>();
  /** The node has none: to ask it every half minute would only fill the browser's log. */
  isMissing = false;

  show({ time, findings }: DoctorReport): void {
    const inOrder = findings.toSorted((a, b) => worstFirst.indexOf(a.level) - worstFirst.indexOf(b.level));
    const before = this.#entries;
    this.#entries = new Map(inOrder.map((finding) => [finding.check, this.#entry(finding, before.get(finding.check))]));
    arrange(
      this.#list,
      [...this.#entries.values()].map(({ item }) => item),
    );
    setEmpty('');
    const bad = findings.filter(({ level }) => level === 'fail' || level === 'warn').length;
    mark(this.#state, 'tone', findings.some(({ level }) => level === 'fail') ? 'fail' : bad > 0 ? 'warn' : 'ok');
    setText(this.#state, bad === 0 ? 'nothing wrong' : counted(bad, 'finding'));
    setTextOf('doctor-time', `checked at ${timeOfDay(Date.parse(time))}`);
  }

  failed({ status, message }: CallError): void {
    const isMissing = status === 404;
    this.isMissing = isMissing;
    mark(this.#state, 'tone', 'plain');
    setText(this.#state, isMissing ? 'not available' : 'no answer');
    setTextOf('doctor-time', '');
    this.#entries.clear();
    this.#list.replaceChildren();
    setEmpty(isMissing ? 'This node has no doctor.' : `The doctor could not be asked: ${message}.`);
  }

  #entry(finding: Finding, known: Entry | undefined): Entry {
    const entry = known ?? makeEntry(finding);
    const { level, summary, evidence, remedy, item } = entry;
    mark(item, 'level', finding.level);
    setText(level, finding.level);
    setText(summary, finding.summary);
    setText(remedy, finding.remedy ?? '');
    remedy.hidden = finding.remedy === null;
    evidence.replaceChildren(...finding.evidence.map((fact) => make('li', '', fact)));
    return entry;
  }
}

function setEmpty(text: string): void {
  const empty = byId('doctor-empty', HTMLElement);
  setText(empty, text);
  empty.hidden = text === '';
}

function makeEntry({ check, level }: Finding): Entry {
  const item = make('li', 'finding');
  const details = make('details');
  details.open = level === 'fail' || level === 'warn';
  const head = make('summary');
  const entry = {
    item,
    details,
    level: make('span', 'level'),
    summary: make('span', 'summary'),
    evidence: make('ul', 'evidence'),
    remedy: make('p', 'remedy'),
  };
  head.append(entry.level, make('span', 'check', check), entry.summary);
  details.append(head, entry.evidence, entry.remedy);
  item.append(details);
  return entry;
}
