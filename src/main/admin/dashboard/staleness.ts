/**
 * Owns what a card says when its rows could not be asked for again: since when they are old, and why. Browser.
 */
import { make, mark, setText } from './element.js';
import { timeOfDay } from './format.js';

export class Staleness {
  readonly #note = make('p', 'stale');
  /** When the rows came, by the browser's clock; 0 while there are none. */
  #freshMs = 0;

  /** @param card has a head, or a summary, behind which it is told */
  constructor(card: HTMLElement) {
    this.#note.hidden = true;
    mark(this.#note, 'tone', 'warn');
    this.#note.setAttribute('role', 'status');
    card.querySelector('.head, summary')!.after(this.#note);
  }

  /** The rows are there anew. */
  fresh(): void {
    this.#freshMs = Date.now();
    this.#note.hidden = true;
  }

  /** They could not be had. */
  failed({ message }: Error): void {
    const since = this.#freshMs === 0 ? 'Not known' : `As of ${timeOfDay(this.#freshMs)}`;
    setText(this.#note, `${since}: ${message}.`);
    this.#note.hidden = false;
  }
}
