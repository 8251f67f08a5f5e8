/**
 * Owns the short messages that tell how an action went. Browser.
 */
import { byId, make, mark } from './element.js';
import type { Tone } from './event-text.js';

const SHOWN_MS = 8000;
const NOTICES_MAX = 3;

export function notify(text: string, tone: Tone): void {
  const notices = byId('notices', HTMLElement);
  const notice = make('p', 'notice', text);
  mark(notice, 'tone', tone);
  notices.append(notice);
  while (notices.childElementCount > NOTICES_MAX) notices.firstElementChild!.remove();
  setTimeout(() => notice.remove(), SHOWN_MS);
}
