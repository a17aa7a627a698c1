import { LcqError } from '../errors.js';
import type { ModelSession } from '../runtime/session.js';

/** How long a session that was not available is passed over: one that refuses at once would draw every batch. */
const REST_MS = 250;

interface Instance {
  readonly session: ModelSession;
  running: number;
  restsUntil: number;
}

/** Several sessions of one model that act as one: each run goes to the session with the fewest. */
export async function openInstances(
  open: () => Promise<ModelSession>,
  count: number,
): Promise<ModelSession> {
  const instances: Instance[] = [];
  const dispose = async () => {
    await Promise.all(instances.map(({ session }) => session.dispose()));
  };
  try {
    for (let i = 0; i < count; i++) {
      instances.push({ session: await open(), running: 0, restsUntil: 0 });
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  const [{ session }] = instances;
  if (count === 1) return session;
  const { inputs, outputs, layers = [] } = session;
  const isOpen = () => instances.some(({ session }) => session.isOpen?.() ?? true);
  return {
    ...{ inputs, outputs, layers, isOpen, dispose },
    run: (feeds) => run(leastBusy(instances), feeds),
  };
}

function leastBusy(instances: readonly Instance[]): Instance {
  const now = performance.now();
  const awake = instances.filter(({ restsUntil }) => restsUntil <= now);
  const candidates = awake.length > 0 ? awake : instances;
  return candidates.reduce((least, each) => (each.running < least.running ? each : least));
}

async function run(instance: Instance, feeds: Parameters<ModelSession['run']>[0]) {
  instance.running += 1;
  try {
    return await instance.session.run(feeds);
  } catch (error) {
    if (error instanceof LcqError && error.code === 'UNAVAILABLE') {
      instance.restsUntil = performance.now() + REST_MS;
    }
    throw error;
  } finally {
    instance.running -= 1;
  }
}
