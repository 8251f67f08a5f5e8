/**
 * A made-up node that reads what it is told with what a real one reads it with: targets and times of bans, addresses,
 * types, times of drains. Its bans and its history are real, nobody is connected, and nothing is dialled or ended.
 */
import { pino } from 'pino';
import type { NodeView } from '../../src/main/api.js';
import { dialAddress } from '../../src/main/dial-request.js';
import { drainTimeMs } from '../../src/main/drain-request.js';
import type { ConnectionTable } from '../../src/main/net/connection-table.js';
import type { OutboundPump } from '../../src/main/net/outbound-pump.js';
import { PeerLog } from '../../src/main/peer-log.js';
import { PeerRecord } from '../../src/main/peer-record.js';
import { banTarget, banTimeMs } from '../../src/main/peers/ban-request.js';
import { Bans } from '../../src/main/peers/bans.js';
import { History } from '../../src/main/peers/history.js';
import { HourTally } from '../../src/main/peers/hour-tally.js';
import { Reputation } from '../../src/main/peers/reputation.js';
import { Postman } from '../../src/main/postman.js';
import type { Statistics } from '../../src/main/statistics.js';
import { drain, peer } from '../unit/admin/fake-node.js';

const clock = { nowMs: () => 1000, wallMs: () => Date.UTC(2026, 0, 1) };
const nothing = () => undefined;

function lonelyPostman(): Postman {
  const pump: Pick<OutboundPump, 'place'> = {
    place: (length, _claim, write) => {
      write(Buffer.alloc(length), 0);
      return true;
    },
  };
  return new Postman({
    pump: pump as OutboundPump,
    table: { connected: () => [] } as unknown as ConnectionTable,
    statistics: { count: nothing, ownTable: { intern: () => 0 } } as unknown as Statistics,
    sendQueueBytes: 1,
    policies: () => ({}),
    remember: nothing,
    want: nothing,
    onError: nothing,
    onSent: nothing,
  });
}

/** @param has bans and history to begin with */
export function readingNode({ bans = new Bans(), history = new History() } = {}): Partial<NodeView> {
  const record = new PeerRecord({
    log: new PeerLog(pino({ level: 'silent' }), clock),
    history,
    lastHour: new HourTally(),
    bans,
    reputation: new Reputation(),
    clock,
    banned: nothing,
  });
  const postman = lonelyPostman();
  return {
    ban: (target, options = {}) => record.ban(banTarget(target), banTimeMs(options.for), options.reason ?? ''),
    unban: (target) => record.unban(banTarget(target)),
    eachBan: () => record.eachBan(),
    eachHistory: (query) => record.eachHistory(query ?? {}),
    broadcastBytes: (type, payload) => postman.broadcastBytes(type, payload, []),
    dial: async (address) => {
      dialAddress(address);
      return peer;
    },
    drain: (options = {}) => {
      drainTimeMs(options.within);
      return drain;
    },
  };
}
