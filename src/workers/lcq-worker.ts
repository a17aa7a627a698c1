/** A worker process of the server: `node lcq-worker.js THREADS`. */
import { createLcqSession } from '../runtime/lcq-session.js';
import { serveSessions } from './serve-sessions.js';

const intraOpThreads = Number(process.argv[2]);
serveSessions((path) => createLcqSession(path, { intraOpThreads }));
