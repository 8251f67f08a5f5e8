/**
 * Owns a dialog that asks before something is done: it stays open while the node is asked, and shows why it came to
 * nothing. Cancelling does nothing. Browser.
 */
import { byId, setText } from './element.js';
import { notify } from './notice.js';

export class Question {
  readonly form: HTMLFormElement;
  readonly #dialog: HTMLDialogElement;
  readonly #error: HTMLElement;
  readonly #submit: HTMLButtonElement;
  #run: () => Promise<string> = async () => '';
  /** Counts askings: the answer to an earlier one does not close a later one. */
  #asked = 0;

  /** @param id of the page's `<dialog>`, which has a form, a `.error`, a `[data-cancel]` and a submit button */
  constructor(id: string) {
    this.#dialog = byId(id, HTMLDialogElement);
    this.form = this.#dialog.querySelector('form')!;
    this.#error = this.#dialog.querySelector('.error')!;
    this.#submit = this.#dialog.querySelector('[type=submit]')!;
    this.#dialog.querySelector('[data-cancel]')!.addEventListener('click', () => this.#dialog.close());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#answer();
    });
  }

  /** @param run does it, and says in a sentence what was done. */
  ask(run: () => Promise<string>): void {
    this.#run = run;
    this.#asked++;
    this.#setBusy(false);
    setText(this.#error, '');
    this.#dialog.showModal();
  }

  async #answer(): Promise<void> {
    const asked = this.#asked;
    this.#setBusy(true);
    setText(this.#error, '');
    const isShown = () => asked === this.#asked && this.#dialog.open;
    try {
      const done = await this.#run();
      if (isShown()) this.#dialog.close();
      notify(done, 'ok');
    } catch (error) {
      const { message } = error as Error;
      if (isShown()) setText(this.#error, message);
      else notify(message, 'fail');
    } finally {
      if (asked === this.#asked) this.#setBusy(false);
    }
  }

  #setBusy(isBusy: boolean): void {
    this.#submit.disabled = isBusy;
    this.#dialog.ariaBusy = String(isBusy);
  }
}
