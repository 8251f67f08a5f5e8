/**
 * Handshakes both ways and refusals. An input: [u8 who we are, whom we dialled][bytes of the other side]. What follows
 * the 65 bytes belongs to frames and must change nothing. Held against `reference/handshake.ts`.
 */
import {
  checkAsInitiator,
  checkAsResponder,
  encodeHandshake,
  encodeRefusal,
  isPeerId,
} from '../../../src/shared/wire/handshake.js';
import { judge, type Verdict } from '../reference/handshake.js';
import { Choices, must, mustEqual, type Target, text } from '../target.js';

export const CHAINS = ['chain', 'c'.repeat(32), 'kette-ü', 'c'] as const;
export const NODES = ['own', 'n'.repeat(32), 'peer', 'o'] as const;
export const DIALLED = [null, 'peer', 'n'.repeat(32), 'ü'] as const;
/** What must not reach a log: control characters, separators of lines, what turns the reading order around. */
const HARMFUL = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

type Found = Verdict & { readonly reason?: string };

function check(what: string, found: Found, again: Found, wanted: Verdict): void {
  const { reason, ...verdict } = found;
  mustEqual(what, verdict, wanted);
  mustEqual(`${what} with more behind it`, again, found);
  if (found.nodeId !== undefined) must(isPeerId(found.nodeId), () => `accepted '${found.nodeId}', which is no ID`);
  if (reason === undefined) return;
  must(reason !== '' && reason.isWellFormed() && !HARMFUL.test(reason), () => `reason '${reason}' harms a log`);
  must(reason.length <= 160, () => `reason of ${reason.length} characters`);
}

function run(input: Uint8Array, note: (what: number) => void): void {
  const choices = new Choices(input);
  const who = choices.byte();
  const own = { chainId: CHAINS[who & 3], nodeId: NODES[(who >> 2) & 3], dialledId: DIALLED[(who >> 4) & 3] };
  const bytes = choices.rest();
  const whole = bytes.subarray(0, 65);
  const asResponder = judge(whole, own, 'responder');
  const asInitiator = judge(whole, own, 'initiator');
  check('as responder', checkAsResponder({ bytes: whole, ...own }), checkAsResponder({ bytes, ...own }), asResponder);
  check('as initiator', checkAsInitiator({ bytes: whole, ...own }), checkAsInitiator({ bytes, ...own }), asInitiator);
  note(outcomeOf(asResponder) * 256 + outcomeOf(asInitiator));
}

/** The code of who said no, or from 0x80 on what else came of it. */
export function outcomeOf({ kind, code }: Verdict): number {
  const others = ['accept', 'refused', 'incomplete'];
  return others.includes(kind) ? 0x80 + others.indexOf(kind) : code!;
}

function behind(who: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Uint8Array.of(who), ...parts]);
}

export const handshake: Target = {
  name: 'handshake',
  sources: ['src/shared/wire/handshake', 'src/shared/wire/disconnect', 'src/shared/wire/message-type'],
  maxBytes: 160,
  dictionary: [
    ...text('chain', 'c'.repeat(32), 'kette-ü', 'own', 'peer', 'n'.repeat(32), 'ü', '\u0085', '\u202e', '\u2028', '€'),
    new Uint8Array(27),
    new Uint8Array(32),
    Uint8Array.of(0xc2),
    Uint8Array.of(0xed, 0xa0, 0x80),
  ],
  beginnings: [
    behind(0, encodeHandshake('chain', 'peer')),
    behind(0x10, encodeHandshake('chain', 'peer'), Uint8Array.of(0, 0, 0, 4, 0, 2, 0x74, 0x78)),
    behind(0x01, encodeHandshake('c'.repeat(32), 'n'.repeat(32))),
    behind(0x02, encodeHandshake('kette-ü', 'own')),
    behind(0, encodeRefusal(0x06, 'full')),
    behind(0, encodeRefusal(0x46, 'ü'.repeat(40))),
    behind(0, encodeHandshake('other', 'peer')),
    behind(0, encodeHandshake('chain', 'peer').subarray(0, 64)),
  ],
  run,
};
