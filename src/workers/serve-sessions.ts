import { LcqError } from '../errors.js';
import type { ModelFile } from '../runtime/model-file.js';
import type { ModelSession } from '../runtime/session.js';
import type { Answers, Question, Reply, Request } from './messages.js';

type Open = (file: ModelFile) => Promise<ModelSession>;

/** Makes this process a worker: it opens and runs sessions for its server until the server goes away. */
export function serveSessions(open: Open): void {
  const sessions = new Map<number, Promise<ModelSession>>();
  // A server that is gone needs no answer: without a callback that would be an error.
  const say = (reply: Reply) => process.send?.(reply, () => {});
  // A Ctrl-C reaches the whole process group, and the server still has requests to answer with us.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ id, question }: Request) => {
    try {
      say({ kind: 'answer', id, answer: await answer(question, sessions, open) });
    } catch (thrown) {
      const { code, message } = LcqError.from(thrown);
      const stack = thrown instanceof LcqError ? undefined : (thrown as Error).stack;
      say({ kind: 'failure', id, code, message, stack });
    }
  });
  say({ kind: 'ready' });
}

async function answer(
  question: Question,
  sessions: Map<number, Promise<ModelSession>>,
  open: Open,
): Promise<Answers[Question['kind']]> {
  if (question.kind === 'open') {
    const opening = open(question.file);
    // What is asked of it meanwhile waits for it.
    sessions.set(question.session, opening);
    const { inputs, outputs, layers = [] } = await opening;
    return { inputs, outputs, layers };
  }
  const session = await sessions.get(question.session);
  if (session === undefined) throw new LcqError('UNAVAILABLE', 'the session is closed');
  if (question.kind === 'run') return session.run(question.feeds);
  sessions.delete(question.session);
  await session.dispose();
  return undefined;
}
