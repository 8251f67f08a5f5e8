import { describe, expect, it } from 'vitest';
import type { AddressRecord, CandidateQuery, KnownAddress } from '../../../src/main/discovery/address-book.js';
import { netGroupOf } from '../../../src/main/peers/net-group.js';
import {
  type ConnectedPeer,
  type SelectionInput,
  selectDials,
  type UnderWay,
} from '../../../src/main/peers/peer-selection.js';

function address(ip: string, id = `id-${ip}`): KnownAddress {
  return { id, ip, port: 26656 };
}

function connectedTo(address: KnownAddress, direction: ConnectedPeer['direction'], isHeard = true): ConnectedPeer {
  return { ...address, direction, isHeard };
}

function dialled(address: KnownAddress, purpose: UnderWay['purpose'] = 'outbound'): UnderWay {
  return { address, purpose };
}

/** A book that gives its addresses in order. */
function bookOf(addresses: readonly KnownAddress[], tested: KnownAddress | null = null) {
  return {
    toTest: (_nowMs: number, isUsable: (one: AddressRecord) => boolean) =>
      tested !== null && isUsable(tested as AddressRecord) ? (tested as AddressRecord) : null,
    candidate: ({ excludeGroups, isUsable }: CandidateQuery) =>
      (addresses.find((one) => !excludeGroups.has(netGroupOf(one.ip, one.port)) && isUsable(one as AddressRecord)) as
        | AddressRecord
        | undefined) ?? null,
    tellerOf: (address: KnownAddress) => (address as AddressRecord).sourceGroup ?? null,
  };
}

function select(given: Partial<SelectionInput>) {
  return selectDials({
    book: bookOf([]),
    connected: [],
    dialling: [],
    outbound: 0,
    minOutbound: 3,
    maxOutbound: 10,
    anchors: [],
    isWanted: () => true,
    nowMs: 0,
    beside: null,
    feelsInbound: true,
    ...given,
  });
}

const ips = (selection: ReturnType<typeof select>) => selection.dials.map(({ address: { ip } }) => ip);
const many = Array.from({ length: 30 }, (_, i) => address(`8.${i}.0.1`));

describe('what to dial', () => {
  it('fills up to the minimum, one per netgroup', () => {
    const crowded = [address('8.0.0.1'), address('8.0.0.2'), address('8.0.1.1'), address('8.1.0.1')];
    expect(ips(select({ book: bookOf(crowded) }))).toEqual(['8.0.0.1', '8.1.0.1']);
    expect(ips(select({ book: bookOf(many), outbound: 1 }))).toEqual(['8.0.0.1', '8.1.0.1']);
    expect(ips(select({ book: bookOf(many), outbound: 3 }))).toEqual([]);
    expect(ips(select({ book: bookOf(many), minOutbound: 50 }))).toHaveLength(8);
  });

  it('is told by one netgroup for no more than half, as long as others have told somebody', () => {
    const toldBy = (sourceGroup: string, ...told: string[]) => told.map((ip) => ({ ...address(ip), sourceGroup }));
    const first = toldBy('66.6.0.0/16', '8.0.0.1', '8.1.0.1', '8.2.0.1', '8.3.0.1', '8.4.0.1');
    const later = toldBy('9.9.0.0/16', '9.0.0.1', '9.1.0.1');
    expect(ips(select({ book: bookOf([...first, ...later]), minOutbound: 4 }))).toEqual([
      '8.0.0.1',
      '8.1.0.1',
      '9.0.0.1',
      '9.1.0.1',
    ]);
    // Nobody stays alone for it.
    expect(ips(select({ book: bookOf(first), minOutbound: 4 }))).toHaveLength(4);
    const connected = first.slice(0, 2).map((one) => connectedTo(one, 'outbound'));
    const selection = select({ book: bookOf([...first, ...later]), connected, outbound: 2, minOutbound: 4 });
    expect(ips(selection)).toEqual(['9.0.0.1', '9.1.0.1']);
  });

  it('is nobody of a netgroup that is connected outbound or being dialled; an inbound peer does not take one', () => {
    const connected = [connectedTo(address('8.0.0.9'), 'outbound'), connectedTo(address('8.1.0.9'), 'inbound')];
    const selection = select({ book: bookOf(many), connected, dialling: [dialled(address('8.2.0.9'))], outbound: 2 });
    expect(ips(selection)).toEqual(['8.1.0.1']);
  });

  it('is nobody who is connected or being dialled, by ID or address, or not wanted', () => {
    const connected = [connectedTo(address('9.9.9.9', 'id-8.0.0.1'), 'inbound')];
    const dialling = [dialled(address('8.1.0.1', 'other'))];
    const isWanted = ({ ip }: { ip: string }) => ip !== '8.2.0.1';
    expect(ips(select({ book: bookOf(many), connected, dialling, isWanted, outbound: 2 }))).toEqual(['8.3.0.1']);
  });

  it('is the anchors of the last run first', () => {
    const anchors = [address('8.7.0.1'), address('8.7.0.2'), address('8.9.0.1')];
    const { dials } = select({ book: bookOf(many), anchors });
    expect(dials.map(({ address: { ip }, purpose }) => `${purpose} ${ip}`)).toEqual([
      'anchor 8.7.0.1',
      'anchor 8.9.0.1',
      'outbound 8.0.0.1',
    ]);
  });

  it('says when peers are missing and nobody is left to dial', () => {
    expect(select({}).starved).toBe(true);
    expect(select({ book: bookOf(many.slice(0, 2)) }).starved).toBe(true);
    expect(select({ book: bookOf(many.slice(0, 3)) }).starved).toBe(false);
    expect(select({ outbound: 3 }).starved).toBe(false);
    expect(select({ minOutbound: 0 }).starved).toBe(false);
  });

  it('beside that is a feeler, an occupant to test before all, only once the minimum is there', () => {
    const tested = address('9.1.0.1');
    const full = { book: bookOf(many, tested), beside: 'feeler', outbound: 3 } as const;
    expect(select(full).dials).toEqual([{ address: tested, purpose: 'feeler' }]);
    const [first] = select({ ...full, book: bookOf(many) }).dials;
    expect(first).toEqual({ address: many[0], purpose: 'feeler' });
    expect(select({ ...full, outbound: 2 }).dials.map(({ purpose }) => purpose)).toEqual(['outbound', 'feeler']);
  });

  it('or one more outbound peer, unless there are as many as there may be', () => {
    expect(select({ book: bookOf(many), beside: 'extra', outbound: 3 }).dials).toMatchObject([{ purpose: 'extra' }]);
    expect(select({ book: bookOf(many), beside: 'extra', outbound: 10 }).dials).toEqual([]);
  });

  it('takes no netgroup for who is only felt', () => {
    const dialling = [dialled(address('8.0.0.9'), 'feeler')];
    expect(ips(select({ book: bookOf(many), dialling, outbound: 2 }))).toEqual(['8.0.0.1']);
  });

  describe('when nobody is left, is a feeler to where inbound peers listen', () => {
    const told = ['8.0.0.1', '8.0.0.2', '8.0.0.3'].map((ip) => ({ ...address(ip), lastSuccessMs: 0 }));
    const connected = told.map((one) => connectedTo({ ...one, port: 40_000 }, 'inbound'));
    const starving = { book: bookOf(told), connected, nowMs: 1e9 };

    it('one at a time', () => {
      const { dials, starved } = select(starving);
      expect(dials).toEqual([{ address: told[0], purpose: 'feeler' }]);
      expect(starved).toBe(true);
      expect(ips(select({ ...starving, dialling: [dialled(told[2]!, 'feeler')] }))).toEqual([]);
      expect(ips(select({ ...starving, dialling: [dialled(told[0]!)] }))).toEqual(['8.0.0.2']);
    });

    it('each once an hour, and only who is wanted', () => {
      const felt = [{ ...told[0]!, lastSuccessMs: 1e9 - 3_599_999 }, ...told.slice(1)];
      expect(ips(select({ ...starving, book: bookOf(felt) }))).toEqual(['8.0.0.2']);
      expect(ips(select({ ...starving, isWanted: ({ ip }) => ip !== '8.0.0.1' }))).toEqual(['8.0.0.2']);
    });

    it('not before something has come from them: they may not have our side of the handshake yet', () => {
      expect(ips(select({ ...starving, connected: connected.map((one) => ({ ...one, isHeard: false })) }))).toEqual([]);
    });

    it('at the address that they come from, which nobody shares with them but in a local network', () => {
      const elsewhere = connected.map((one, i) => ({ ...one, ip: `8.1.0.${i}` }));
      expect(ips(select({ ...starving, connected: elsewhere }))).toEqual([]);
      const neighbour = connectedTo(address('8.0.0.1', 'neighbour'), 'outbound');
      expect(ips(select({ ...starving, connected: [...connected, neighbour] }))).toEqual(['8.0.0.2']);
      const local = [1, 2].map((port) => ({ id: `local-${port}`, ip: '127.0.0.1', port, lastSuccessMs: 0 }));
      const peers = local.map((one) => connectedTo({ ...one, port: 40_000 + one.port }, 'inbound'));
      expect(select({ ...starving, book: bookOf(local), connected: peers }).dials).toMatchObject([
        { address: local[0] },
      ]);
    });

    it('not while anybody else can be dialled, nobody is missing, or it is of no use', () => {
      const others = bookOf([...told, ...many.slice(1, 4)]);
      expect(ips(select({ ...starving, book: others }))).toEqual(['8.1.0.1', '8.2.0.1', '8.3.0.1']);
      expect(ips(select({ ...starving, outbound: 3 }))).toEqual([]);
      expect(ips(select({ ...starving, feelsInbound: false }))).toEqual([]);
      const outbound = connected.map((one) => ({ ...one, direction: 'outbound' as const }));
      expect(ips(select({ ...starving, connected: outbound }))).toEqual([]);
    });
  });
});
