/**
 * The shared memory of a node with views on it. The main thread creates it once from the configuration and hands the
 * buffer to its workers; it never grows.
 */
import { ArenaLayout, type Geometry, Header } from './arena-layout.js';

export class Arena {
  readonly buffer: SharedArrayBuffer;
  readonly layout: ArenaLayout;
  /** The whole arena as 32-bit words, for cursors, flags, counters and record headers. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The whole arena as bytes. One view for all, so that hot code sees one array and `copyWithin` moves any frame. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** The same for big-endian numbers at any offset. */
  readonly view: DataView<SharedArrayBuffer>;

  private constructor(buffer: SharedArrayBuffer, geometry: Geometry) {
    this.buffer = buffer;
    this.layout = new ArenaLayout(geometry);
    if (buffer.byteLength !== this.layout.totalBytes) throw new RangeError('arena and geometry differ');
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
  }

  /** Allocates an arena. Pages that nothing touches cost no memory. */
  static create(geometry: Geometry): Arena {
    const arena = new Arena(new SharedArrayBuffer(new ArenaLayout(geometry).totalBytes), geometry);
    arena.words[Header.Slots] = geometry.slots;
    arena.words[Header.RingBytes] = geometry.ringBytes;
    arena.words[Header.Workers] = geometry.workers;
    arena.words[Header.OutboundBytes] = geometry.outboundBytes;
    arena.words[Header.SeenEntries] = geometry.seenEntries;
    return arena;
  }

  /** Views on an arena that another thread created. */
  static attach(buffer: SharedArrayBuffer): Arena {
    const header = new Int32Array(buffer, 0, Header.SeenEntries + 1);
    return new Arena(buffer, {
      slots: header[Header.Slots],
      ringBytes: header[Header.RingBytes],
      workers: header[Header.Workers],
      outboundBytes: header[Header.OutboundBytes],
      seenEntries: header[Header.SeenEntries],
    });
  }
}
