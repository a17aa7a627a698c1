/** A worker process of the server: `node lcq-worker.js THREADS`. */
import { openModelFile } from '../runtime/model-file.js';
import { serveSessions } from './serve-sessions.js';

const intraOpThreads = Number(process.argv[2]);
serveSessions((file) => openModelFile(file, intraOpThreads));
