/** Settings of one to four sources that speak about the same few options, with values that are plausible, or nearly so. */
import fc from 'fast-check';
import { kebabCase, type OptionKey, optionKeys, optionOf } from '../../../src/main/config/options.js';
import { SEPARATOR } from '../targets/config.js';
import { duration, ip, size, withSlips } from './slips.js';

const number = withSlips(
  fc.oneof(fc.nat(120).map(String), fc.constantFrom('20.0', '0.5', '10000', '10001', '1e3', '-1')),
);
const words = (...all: readonly string[]) => withSlips(fc.constantFrom(...all));
const names = words('paw', 'c'.repeat(32), 'ü', 'a,b', 'tx=3,block', '');
const places = withSlips(
  fc.tuple(ip, fc.nat(65_535)).map(([host, port]) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)),
);

/** By what the option says is allowed. */
const kinds: readonly (readonly [RegExp, fc.Arbitrary<string>])[] = [
  [/duration/, duration],
  [/size|power of two/, size],
  [/number/, number],
  [/true or false/, words('true', 'false', 'yes', 'off')],
  [/high-traffic/, words('default', 'high-traffic', 'low-resource')],
  [/silent/, words('debug', 'info', 'silent')],
  [/pretty/, words('pretty', 'json')],
  [/HOST:PORT/, places],
];

function valueFor(key: OptionKey): fc.Arbitrary<string> {
  const { allowed } = optionOf(key).kind;
  const plausible = kinds.find(([says]) => says.test(allowed))?.[1] ?? names;
  const word = /^'(off|auto)'/.exec(allowed)?.[1] ?? 'off';
  return fc.oneof({ weight: 8, arbitrary: plausible }, { weight: 1, arbitrary: fc.constant(word) });
}

/** As each source has it: the file and the library know numbers and truth, all of them know text. */
function written(way: number, key: string, value: string, isBare: boolean): string {
  const bare = isBare && /^(true|false|0|[1-9]\d{0,14}(\.\d+)?)$/.test(value);
  // Escapes of JSON are escapes of TOML.
  if (way === 0) return `${key} = ${bare ? value : JSON.stringify(value.toWellFormed())}`;
  return `${key}=${way === 3 && !bare ? JSON.stringify(value) : value.replaceAll('\n', ' ')}`;
}

function source(keys: readonly OptionKey[]): fc.Arbitrary<string> {
  const line = fc
    .constantFrom(...keys)
    .chain((key) =>
      fc.tuple(fc.constant(key), fc.constantFrom(key, key, key, kebabCase(key)), valueFor(key), fc.boolean()),
    );
  const lines = fc.uniqueArray(line, { selector: ([key]) => key, minLength: 1, maxLength: 4 });
  return fc.tuple(fc.nat(3), lines).map(([way, all]) => {
    const text = all.map(([key, spelled, value, isBare]) => written(way, way === 0 ? spelled : key, value, isBare));
    return `${way}${text.join('\n')}`;
  });
}

export const configurations = fc
  .uniqueArray(fc.constantFrom(...optionKeys), { minLength: 1, maxLength: 4 })
  .chain((keys) => fc.array(source(keys), { minLength: 1, maxLength: 4 }))
  .map((sources) => new Uint8Array(Buffer.from(sources.join(SEPARATOR))));
