/**
 * Payloads of msgpack types: the scan that goes before msgpackr, and what msgpackr then makes of them. An input is a
 * payload. Held against `reference/msgpack.ts`: taken or not, and the same value.
 */
import { decodeValue, encodeValue } from '../../../src/shared/wire/msgpack.js';
import { scanMsgpack } from '../../../src/shared/wire/msgpack-scan.js';
import { msgpackOf } from '../reference/msgpack.js';
import { hex, must, mustEqual, shown, type Target, text } from '../target.js';

const FAULTS = [
  'cut short',
  'bytes after',
  'map key is',
  'map key __',
  'text is no',
  'deeper tha',
  'byte c1, w',
  'extension ',
  'timestamp ',
];

function run(input: Uint8Array, note: (what: number) => void): void {
  const wanted = msgpackOf(input);
  const fault = scanMsgpack(input);
  const found = decodeValue(input);
  must(
    (fault === null) === (wanted !== null),
    () => `the scan says ${fault}, must ${wanted === null ? 'not ' : ''}be taken`,
  );
  must(found.ok === (fault === null), () => `the scan says ${fault}, the decoder ${shown(found)}`);
  note((input[0] >> 4) + (fault === null ? 0 : 16 * (2 + FAULTS.indexOf(fault.slice(0, 10)))));
  if (!found.ok || wanted === null) return;
  mustEqual('value', found.value, wanted.value);
  // What has come in can go out again, and comes back the same.
  const again = decodeValue(encodeValue(found.value));
  mustEqual('value after another way', again.ok ? again.value : again, withoutMinusZero(found.value));
}

/** Encoded as 0: msgpackr writes whole numbers as integers. */
function withoutMinusZero(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(withoutMinusZero);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutMinusZero(one)]));
}

export const msgpack: Target = {
  name: 'msgpack',
  sources: ['src/shared/wire/msgpack', 'src/shared/wire/msgpack-scan'],
  maxBytes: 1024,
  dictionary: [
    ...text('__proto__', 'constructor', 'toString', 'length', '0', '€'),
    ...hex('a95f5f70726f746f5f5f', 'd9095f5f70726f746f5f5f', 'd6ff', 'd7ff', 'c70cff', 'dd00000001', 'df00000001'),
    ...hex('81a161c0', '91', 'cf0020000000000000', 'd3ffe0000000000000', 'cbffefffffffffffff', 'ca7fc00000', 'c1'),
    ...hex('cb8000000000000000', 'cb7ff0000000000000', 'c403010203', 'd920', 'da0100', 'db00000002'),
  ],
  beginnings: hex(
    'c0',
    '83a161 01 a162 92 c2c3 a163 c403010203',
    '95 cc80 cdffff ceffffffff cfffffffffffffffff d3ffdfffffffffffff',
    '94 d0ff d1ff00 d2ff000000 d300000000000000ff',
    '92 ca3fc00000 cb400921fb54442d18',
    '93 d6ff00000001 d7ff0000000400000001 c70cff000000010000000000000001',
    '92 dc0002 a0 bf6162636465666768696a6b6c6d6e6f707172737475767778797a61626364 de0001 d90161 df00000000',
    `93 db00000003e282ac da0002c3a4 d920${'61'.repeat(32)}`,
    `${'91'.repeat(31)}80`,
  ),
  run,
};
