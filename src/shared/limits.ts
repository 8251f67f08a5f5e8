/**
 * Every limit that the protocol fixes, in one place, with its source. What an operator may change is in
 * `main/config/options.ts`; how the limits relate is asserted at the end of this file.
 */

/** Largest legal `total length` of a frame: 10 MB (specification 1.1, 6.2; rulings 1). */
export const MAX_FRAME_LENGTH = 10 * 1024 * 1024;
/** Bytes of the `total length` field, which does not count itself (rulings 1). */
export const LENGTH_FIELD_BYTES = 4;
/** Bytes of the `msgType length` field. */
export const TYPE_LENGTH_FIELD_BYTES = 2;
/** Bytes before the message type: both length fields. */
export const FRAME_HEADER_BYTES = LENGTH_FIELD_BYTES + TYPE_LENGTH_FIELD_BYTES;
/** Longest message type in bytes of UTF-8 (rulings 1). */
export const MAX_TYPE_BYTES = 255;
/** Largest frame on the wire, its length field included. */
export const MAX_WIRE_FRAME_BYTES = LENGTH_FIELD_BYTES + MAX_FRAME_LENGTH;

/** Version 1 of the protocol (specification 1.2). */
export const PROTOCOL_VERSION = 0x01;
/** Width of the chain ID and node ID fields (specification 1.2). */
export const ID_BYTES = 32;
/** Version, chain ID, node ID. */
export const HANDSHAKE_BYTES = 1 + ID_BYTES + ID_BYTES;

/** Bytes of the nonce in our `ping`, and the most of a ping's payload that `pong` returns (rulings 4). */
export const PING_NONCE_BYTES = 8;
export const MAX_PONG_BYTES = 64;

/** All that a crawler sends (specification 2.1). It is also how a handshake begins (rulings 3). */
export const CRAWL_REQUEST = 0x01;
/** One address may crawl us once in this time (rulings 3). */
export const CRAWL_EVERY_MS = 10_000;
/** Entries in one answer to a crawl, and the widths in an entry (specification 2.1). */
export const MAX_PEER_LIST_ENTRIES = 1000;
export const MAX_PEER_LIST_ID_BYTES = 128;
export const MAX_PEER_LIST_IP_BYTES = 64;

/** Back-off between dials of one address: min(2^attempts seconds, this) (specification 3.3, rulings 5). */
export const MAX_BACKOFF_MS = 600_000;
/** A connection that stayed up this long proves the address, and its dial attempts count from 0 again (rulings 5). */
export const PROVEN_CONNECTION_MS = 60_000;

/** Dials that may wait (specification 6.2), and that may be under way at once. */
export const DIAL_QUEUE_LENGTH = 100;
export const DIALS_IN_FLIGHT = 16;

/** Peers in one PEX message at most, peers that we send in one, and how often a peer may send it (rulings 7). */
export const MAX_PEX_PEERS = 200;
export const PEX_SENT_PEERS = 25;
export const MIN_PEX_INTERVAL_MS = 5000;
/** Longest PEX message that is read: 200 peers with the longest ID and IP there are, and room for other fields. */
export const MAX_PEX_BYTES = 128 * 1024;

/** Different `type` labels in metrics; the rest count as `other` (rulings 9). */
export const MAX_TYPE_LABELS = 64;

/** Payload bytes and nesting that a msgpack-typed message may have. */
export const MAX_MSGPACK_BYTES = 1024 * 1024;
export const MAX_MSGPACK_DEPTH = 32;
/** Of a value that a handler publishes: whatever a message held. */
export const MAX_PUBLISHED_BYTES = MAX_FRAME_LENGTH;

/** What of a text sent by a peer (a `disconnect` or refusal reason) reaches logs and history. */
export const MAX_REASON_BYTES = 128;

if (MAX_WIRE_FRAME_BYTES >= 2 ** 30) throw new RangeError('cursors are 32 bits: a frame must fit well inside');
