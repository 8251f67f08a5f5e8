/** All targets by name. */
import type { Target } from './target.js';
import { config } from './targets/config.js';
import { clientDecoder, decoder } from './targets/decoder.js';
import { handshake } from './targets/handshake.js';
import { msgpack } from './targets/msgpack.js';
import { peerList } from './targets/peer-list.js';
import { pex } from './targets/pex.js';
import { pipeline } from './targets/pipeline.js';
import { text } from './targets/text.js';

export const targets: readonly Target[] = [
  decoder,
  clientDecoder,
  pipeline,
  handshake,
  peerList,
  pex,
  msgpack,
  text,
  config,
];
