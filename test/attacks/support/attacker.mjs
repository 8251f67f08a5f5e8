/**
 * The attackers, all of them in one process of their own. It says when they are in place, and what they did when they are
 * told to stop. A real attacker would not use the node's own processor: so this one has the lowest claim to it.
 */
import { getPriority, setPriority } from 'node:os';
import * as crowds from '../attackers/crowds.mjs';
import * as floods from '../attackers/floods.mjs';
import * as leavers from '../attackers/leavers.mjs';
import * as liars from '../attackers/liars.mjs';
import * as slow from '../attackers/slow.mjs';
import { hostOf } from './wire.mjs';

const attacks = { ...crowds, ...floods, ...leavers, ...liars, ...slow };
const { attack, realm, ...options } = JSON.parse(process.argv[2]);
const target = { ...options, hostOf: (index) => hostOf(index, realm) };
setPriority(Math.min(19, getPriority() + 10));

const stop = new AbortController();
process.on('message', () => stop.abort());
process.on('disconnect', () => process.exit());
const found = await attacks[attack](target, {
  over: stop.signal,
  inPlace: () => process.send({ isInPlace: true }),
});
process.send({ found }, () => process.exit());
