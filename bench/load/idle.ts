/** Load: connects with many, shakes hands, and keeps still. */
import { optionsOf, serve } from '../channel.js';
import { joinAll } from './peer.js';

const { port } = optionsOf<{ readonly port: number }>();
let held = 0;

serve(0, {
  /** Connects until so many are held. */
  hold: async (count: number) => {
    const sockets = await joinAll(port, count - held, 'idle');
    for (const socket of sockets) socket.on('data', () => undefined);
    held = count;
  },
});
