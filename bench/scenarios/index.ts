/** All scenarios, in the order in which they are run and shown. */
import type { Scenario } from '../scenario.js';
import { admin } from './admin.js';
import { broadcast } from './broadcast.js';
import { busyHandlers } from './busy-handlers.js';
import { connect } from './connect.js';
import { crash } from './crash.js';
import { echo } from './echo.js';
import { idle } from './idle.js';
import { ingest } from './ingest.js';
import { libp2pScenario } from './libp2p.js';
import { mixed } from './mixed.js';
import { refusals } from './refusals.js';
import { relay } from './relay.js';
import { scaling } from './scaling.js';
import { soak } from './soak.js';

export const scenarios: readonly Scenario[] = [
  ingest,
  echo,
  broadcast,
  relay,
  connect,
  refusals,
  idle,
  mixed,
  busyHandlers,
  crash,
  admin,
  scaling,
  libp2pScenario,
  soak,
];
