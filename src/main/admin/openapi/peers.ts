/** Owns the description of the routes about peers and addresses. Main thread. */
import type { AddressInfo, PeerInfo } from '../../api.js';
import type { Parameter, RouteDescriptions } from './route-description.js';
import {
  choice,
  count,
  flag,
  integer,
  listOf,
  moment,
  named,
  nullable,
  objectOf,
  quantity,
  type Schema,
  text,
} from './schema.js';

const reputation: Schema<number> = {
  json: { type: 'number', minimum: 0, maximum: 100, description: 'Score from 0 to 100; below 20 it would be refused' },
};

export const peerInfo = named<PeerInfo>(
  'PeerInfo',
  objectOf('A connected peer', {
    id: text('ID that the peer gave'),
    address: text('Address as seen on the socket, as HOST:PORT', '203.0.113.7:26656'),
    direction: choice(['inbound', 'outbound'], 'Who dialled: inbound when the peer did'),
    state: choice(
      ['Connecting', 'Handshaking', 'Connected', 'Disconnecting', 'Disconnected'],
      'State of the connection (section 3.2 of the specification)',
    ),
    persistent: flag('Whether it is one of those that are dialled again and again'),
    connectedAt: moment('When the handshake was through'),
    lastActivity: moment('When something last arrived or was sent'),
    rttMs: nullable(quantity('milliseconds', 'Time between the last ping and its pong'), 'until the first pong'),
    bytesSent: quantity('bytes', 'Sent to it'),
    bytesReceived: quantity('bytes', 'Received from it'),
    messagesSent: count('messages sent to it'),
    messagesReceived: count('messages received from it'),
    reputation,
    worker: integer(0, null, 'Index of the worker thread that the connection is pinned to'),
  }),
);

export const addressInfo = named<AddressInfo>(
  'AddressInfo',
  objectOf('An address that the node knows', {
    id: text('ID of the peer that is said to be there'),
    address: text('IP address without port', '203.0.113.7', '2001:db8::7'),
    port: integer(1, 65_535, 'TCP port'),
    source: text('Where it was learned from', 'pex', 'seed', 'manual'),
    bucket: choice(['new', 'tried'], 'Whether we have reached it ourselves: tried if so'),
    firstSeen: moment('When it was first heard of'),
    lastSeen: moment('When somebody last saw it alive, as far as we believe it'),
    attempts: count('failed dials in a row'),
  }),
);

export const peerSchemas = [peerInfo, addressInfo];

const id: Parameter = { in: 'path', schema: text('ID of the peer, escaped as part of a URL') };
const notConnected = 'No connected peer has this ID';

export const peerRoutes: RouteDescriptions = {
  'GET /peers': {
    id: 'listPeers',
    tag: 'Peers',
    summary: 'Peers that are connected',
    answers: {
      200: {
        description: 'The peers',
        schema: objectOf<{ peers: readonly PeerInfo[] }>('A list', { peers: listOf(peerInfo, 'In no order') }),
      },
    },
    errors: { 400: 'There are no query parameters' },
  },
  'POST /peers': {
    id: 'dial',
    tag: 'Peers',
    summary: 'Connects to a peer',
    description: 'Answers once the handshake is through or has failed.',
    body: {
      isRequired: true,
      schema: objectOf<{ address: string }>('Whom to dial', {
        address: text('HOST:PORT, or ID@HOST:PORT where only that peer will do'),
      }),
      example: { address: '203.0.113.7:26656' },
    },
    answers: { 200: { description: 'The peer, connected', schema: peerInfo } },
    errors: {
      400: 'The body is wrong; `field` names what',
      409: 'We are connected to this peer already, or it is ourselves; `code` says which',
      502: 'The peer could not be reached or refused us; `code` says why',
      503: 'Too many dials wait, or the node is closing',
    },
  },
  'GET /peers/{id}': {
    id: 'getPeer',
    tag: 'Peers',
    summary: 'One connected peer',
    parameters: { id },
    answers: { 200: { description: 'The peer', schema: peerInfo } },
    errors: { 400: 'The ID is not escaped well, or there is a query', 404: notConnected },
  },
  'DELETE /peers/{id}': {
    id: 'disconnect',
    tag: 'Peers',
    summary: 'Closes the connection to a peer, telling it why',
    description: 'The peer may come back, and a persistent one is dialled again: ban whom you want to keep away.',
    parameters: { id },
    answers: {
      200: {
        description: 'The connection closes',
        schema: objectOf<{ id: string }>('Who', { id: text('ID of the peer') }),
      },
    },
    errors: { 400: 'The ID is not escaped well, or there is a query or a body', 404: notConnected },
  },
  'GET /addresses': {
    id: 'listAddresses',
    tag: 'Peers',
    summary: 'The address book',
    description: 'A full book has about 80,000 addresses: 17 MB, which arrive while they are made.',
    answers: {
      200: {
        description: 'The addresses',
        schema: objectOf<{ addresses: readonly AddressInfo[] }>('A list', {
          addresses: listOf(addressInfo, 'In no order'),
        }),
      },
    },
    errors: { 400: 'There are no query parameters' },
  },
};
