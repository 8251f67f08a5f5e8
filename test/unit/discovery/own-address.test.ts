import { pino } from 'pino';
import { expect, it } from 'vitest';
import { resolveExternal } from '../../../src/main/discovery/own-address.js';

const log = pino({ level: 'silent' });
const externalAddress = { host: 'node.example', port: 26656 };

it('the external address is looked up in the network that the node lives on', async () => {
  const asked: string[] = [];
  const network = {
    resolve: async (name: string) => {
      asked.push(name);
      return ['8.8.4.4', '8.8.8.8'];
    },
  };
  const settings = { externalAddress, strictAddresses: true };
  expect(await resolveExternal(settings, network, log)).toEqual({ host: '8.8.4.4', port: 26656 });
  expect(asked).toEqual(['node.example']);
});

it('an external address is told to nobody if its name is not known, or leads where the internet does not', async () => {
  const unknown = { resolve: () => Promise.reject(new Error('ENOTFOUND')) };
  const local = { resolve: async () => ['192.168.0.1'] };
  for (const network of [unknown, local]) {
    expect(await resolveExternal({ externalAddress, strictAddresses: true }, network, log)).toBeNull();
  }
  const lenient = { externalAddress, strictAddresses: false };
  expect(await resolveExternal(lenient, local, log)).toEqual({ host: '192.168.0.1', port: 26656 });
});
