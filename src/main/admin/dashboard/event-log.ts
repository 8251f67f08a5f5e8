/**
 * Owns the live log of the page: the newest events, at most a few hundred. A storm of them is shown a few times a second.
 * Browser.
 */
import { byId, make, mark } from './element.js';
import { type LoggedEvent, logLine } from './event-text.js';
import { timeOfDay } from './format.js';

const LINES_MAX = 200;
const SHOW_EVERY_MS = 250;

export class EventLog {
  readonly #list = byId('log', HTMLOListElement);
  readonly #pause = byId('log-pause', HTMLButtonElement);
  /** The newest last. */
  #waiting: HTMLLIElement[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isPaused = false;

  constructor() {
    this.#pause.addEventListener('click', () => {
      this.#isPaused = !this.#isPaused;
      this.#pause.ariaPressed = String(this.#isPaused);
      this.#show();
    });
  }

  add(event: LoggedEvent, timeMs: number): void {
    const { what, text, tone } = logLine(event);
    this.#line(timeMs, what, text, tone);
  }

  /** What happened to the page's own connection. */
  note(text: string, tone: 'ok' | 'fail'): void {
    this.#line(Date.now(), 'dashboard', text, tone);
  }

  #line(timeMs: number, what: string, text: string, tone: string): void {
    const line = make('li');
    line.append(make('time', '', timeOfDay(timeMs)), make('span', 'what', what), make('span', 'text', text));
    mark(line, 'tone', tone);
    this.#waiting.push(line);
    if (this.#waiting.length > LINES_MAX) this.#waiting.shift();
    this.#timer ??= setTimeout(() => this.#show(), SHOW_EVERY_MS);
  }

  #show(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isPaused) return;
    this.#list.prepend(...this.#waiting.reverse());
    this.#waiting = [];
    while (this.#list.childElementCount > LINES_MAX) this.#list.lastElementChild!.remove();
    byId('log-empty', HTMLElement).hidden = this.#list.childElementCount > 0;
  }
}
