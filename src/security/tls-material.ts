import { createSecureContext } from 'node:tls';
import { LcqError } from '../errors.js';

/** What a TLS port needs, as PEM. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** With it clients must show a certificate that one of these authorities has signed. */
  readonly ca?: Buffer;
}

/**
 * Certificate chain, private key and, for mutual TLS, the clients' authorities.
 *
 * Throws INVALID_ARGUMENT when they do not belong together: half of a renewal must not take the port down.
 */
export function tlsMaterial([cert, key, ca]: readonly Buffer[]): TlsMaterial {
  const material = { cert, key, ...(ca === undefined ? {} : { ca }) };
  try {
    createSecureContext(material);
  } catch (cause) {
    const message = 'the TLS certificate, its key and the client authorities do not fit';
    throw new LcqError('INVALID_ARGUMENT', message, { cause });
  }
  return material;
}
