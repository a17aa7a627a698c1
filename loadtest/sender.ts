/** Sends the requests of one stream over connections of its own. */
export interface Sender {
  /**
   * Sends one request and resolves when its reply has arrived whole: to `OK`, or to the code of its refusal. `turn` picks
   * the content. Never rejects.
   */
  send(turn: number): Promise<string>;
  close(): Promise<void>;
}

/** The outcome of a request whose connection was refused, or broke before the reply was whole. */
export const NO_CONNECTION = 'NO_CONNECTION';
/** The outcome of a request that nobody answered while the run lasted. */
export const NO_REPLY = 'NO_REPLY';
