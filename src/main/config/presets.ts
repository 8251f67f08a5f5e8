/**
 * Owns the presets: connection limits of sections 3.2 and 10.2 of the specification, rates of rulings 8. Main
 * thread.
 */

/** What a preset sets; keys are options of `options.ts`. */
export interface Preset {
  readonly maxPeers: number;
  readonly maxInbound: number;
  readonly maxOutbound: number;
  readonly receiveRate?: string;
  readonly sendRate?: string;
  readonly gossipCache?: string;
  readonly ringSize?: string;
}

export const presets = {
  default: { maxPeers: 100, maxInbound: 50, maxOutbound: 50 },
  'high-traffic': { maxPeers: 200, maxInbound: 100, maxOutbound: 100 },
  'low-resource': {
    maxPeers: 20,
    maxInbound: 10,
    maxOutbound: 10,
    receiveRate: '1MiB',
    sendRate: '1MiB',
    gossipCache: '1MiB',
    ringSize: '64KiB',
  },
} as const satisfies Record<string, Preset>;

/** A set of defaults for a kind of node. */
export type PresetName = keyof typeof presets;

export const presetNames = Object.keys(presets) as readonly PresetName[];
