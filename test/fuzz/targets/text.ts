/**
 * Texts that strangers or operators write: payloads of `disconnect`, addresses of hosts and peers, IP addresses. An input
 * is such a text. IP addresses are held against `reference/ip.ts`; the rest must agree with itself.
 */
import {
  formatHostPort,
  formatPeerAddress,
  normalizeHost,
  parseHostPort,
  parsePeerAddress,
  requireHostPort,
  requirePeerAddress,
} from '../../../src/main/net/address.js';
import { decodeDisconnect, encodeDisconnect } from '../../../src/shared/wire/disconnect.js';
import { canonicalIp, isRoutable } from '../../../src/shared/wire/routability.js';
import { ipBits, longForm } from '../reference/ip.js';
import { isRoutableBits } from '../reference/routable.js';
import { hex, must, mustEqual, type Target, text as texts } from '../target.js';

const HARMFUL = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

function checkDisconnect(payload: Uint8Array): void {
  const { code, reason } = decodeDisconnect(payload);
  mustEqual('code', code, payload.length === 0 ? 0 : payload[0]);
  must(!HARMFUL.test(reason) && reason.isWellFormed() && reason.length <= 128, () => `reason '${reason}' harms a log`);
  mustEqual(
    'read again',
    decodeDisconnect(encodeDisconnect(code, reason)).reason.startsWith(reason.slice(0, 40)),
    true,
  );
}

function checkIp(text: string): number {
  const bits = ipBits(text);
  const canonical = canonicalIp(text);
  mustEqual(`whether '${text}' is an IP address`, canonical !== null, bits !== null);
  if (canonical === null || bits === null) return 0;
  mustEqual('the address that it is', ipBits(canonical), bits);
  mustEqual('canonical once more', canonicalIp(canonical), canonical);
  mustEqual('another way to write it', canonicalIp(longForm(bits)), canonical);
  mustEqual(`whether ${canonical} is routable`, isRoutable(canonical), isRoutableBits(bits));
  return isRoutable(canonical) ? 1 : 2;
}

function thrownBy(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    must(error instanceof TypeError, () => `throws ${String(error)}`);
    return (error as TypeError).message;
  }
}

function checkAddress(text: string): number {
  const host = parseHostPort(text);
  const peer = parsePeerAddress(text);
  const faults = [thrownBy(() => requireHostPort(text)), thrownBy(() => requirePeerAddress(text))];
  mustEqual('refused to listen on', faults[0] !== null, host === null);
  mustEqual('refused to dial', faults[1] !== null, peer === null || peer.port === 0);
  for (const fault of faults) {
    must(fault === null || (!/[\p{Cc}\u2028\u2029]/u.test(fault) && fault.length < 300), () => `says '${fault}'`);
  }
  if (host !== null) mustEqual('printed and read', parseHostPort(formatHostPort(host)), host);
  if (peer === null) return host === null ? 0 : 1;
  mustEqual('printed and read as a peer', parsePeerAddress(formatPeerAddress(peer)), peer);
  const once = normalizeHost(peer.host);
  mustEqual('one spelling', normalizeHost(once), once);
  return peer.id === null ? 2 : 3;
}

export const text: Target = {
  name: 'text',
  sources: [
    'src/main/net/address',
    'src/main/config/wrong-value',
    'src/shared/wire/disconnect',
    'src/shared/wire/routability',
  ],
  maxBytes: 400,
  dictionary: [
    ...texts(
      '[',
      ']',
      ':',
      '::',
      '@',
      '.',
      '%eth0',
      '::ffff:',
      '127.0.0.1',
      '2001:db8::1',
      ':65535',
      ':65536',
      '\u2028',
      '\u202e',
      '0x',
      '00',
    ),
    ...hex('c280', 'ff', 'eda080'),
  ],
  beginnings: texts(
    '1.2.3.4:26656',
    'id@[2001:db8::1]:1',
    'seed1.paw.network:26656',
    '::ffff:1.2.3.4',
    '2001:db8:0:0:1:0:0:1',
    'fe80::1%eth0',
    'Gidle for 5 minutes',
    'x@y@z:1',
    '1:2:3:4:5:6:7::',
    '::1.2.3.4',
  ),
  run(input, note) {
    checkDisconnect(input);
    const text = Buffer.from(input).toString();
    const ip = checkIp(text);
    note(ip * 4 + checkAddress(text));
    checkAddress(`${text}:1`);
    checkAddress(`[${text}]:1`);
  },
};
