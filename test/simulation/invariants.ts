/** What must hold of a simulated node whenever it has done something. */
import type { Connection } from '../../src/main/net/connection.js';
import type { SimulatedNode } from './simulated-node.js';

/** The largest message of a simulation, and its header. */
const MESSAGE_BYTES = 64 * 1024;
/** A connection that is left has given its slot back by then: it has 5 s to write what waits, and a peer that sends on 5 s more. */
const SLOT_BACK_MS = 12_000;

/** What is wrong with a node; null for nothing. */
export function faultOf(node: SimulatedNode, nowMs: number): string | null {
  const { core, limits } = node;
  if (core === null) return null;
  const { table, budget } = core;
  const { maxPeers, maxInbound, maxOutbound, sendQueueBytes, outboundRingBytes } = limits;
  const counts = { inbound: 0, outbound: 0 };
  const netGroups = new Set<string>();
  for (const connection of table.connected()) {
    const fault = faultOfPeer(node, connection, netGroups);
    if (fault !== null) return fault;
    if (!connection.exempt) counts[connection.direction]++;
    // One message goes beyond it, and what the worker had sent before it saw that.
    if (connection.writer.queuedBytes > sendQueueBytes + MESSAGE_BYTES + outboundRingBytes) {
      return `${connection.writer.queuedBytes} B wait for ${connection.peerId}`;
    }
  }
  const counted = table.counts();
  if (counted.inbound !== counts.inbound || counted.outbound !== counts.outbound) {
    return `counts ${JSON.stringify(counted)} where there are ${JSON.stringify(counts)}`;
  }
  const { inbound, outbound } = counts;
  if (inbound > maxInbound) return `${inbound} inbound peers`;
  if (outbound > maxOutbound) return `${outbound} outbound peers`;
  if (inbound + outbound > maxPeers) return `${inbound + outbound} peers`;
  // As a rule all slots are connected peers', as was seen above.
  if (table.takenSeats > table.connectedCount) {
    for (const { state, peerId, leavingMs } of table.seatedConnections()) {
      if (state === 'Connected' || nowMs - leavingMs < SLOT_BACK_MS) continue;
      return `${peerId}, ${state}, has kept its slot for ${Math.round(nowMs - leavingMs)} ms`;
    }
  }
  const { rings, partialFrames, sendQueues, handlerQueues, caches } = budget.parts();
  const inParts = rings + partialFrames + sendQueues + handlerQueues + caches;
  if (inParts !== budget.usedBytes) return `${budget.usedBytes} B are used, ${inParts} B by part`;
  if (budget.usedBytes > budget.budgetBytes) return `${budget.usedBytes} B of ${budget.budgetBytes} B are used`;
  return null;
}

function faultOfPeer(node: SimulatedNode, connection: Connection, netGroups: Set<string>): string | null {
  const { peerId, state, seat, direction, netGroup, persistent } = connection;
  if (state !== 'Connected') return `a connected peer, ${peerId}, is ${state}`;
  if (seat === null) return `${peerId} is connected and has no slot`;
  if (peerId === node.id) return 'it is connected to itself';
  if (direction === 'inbound' || persistent) return null;
  if (netGroups.has(netGroup)) return `two outbound peers in ${netGroup}`;
  netGroups.add(netGroup);
  return null;
}
