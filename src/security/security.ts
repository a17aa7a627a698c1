import { X509Certificate } from 'node:crypto';
import { LcqError } from '../errors.js';
import { AccessControl } from './access-control.js';
import { ApiKeys } from './api-keys.js';
import { RateLimiter } from './rate-limiter.js';
import { type TlsMaterial, tlsMaterial } from './tls-material.js';
import { WatchedFiles } from './watched-files.js';

/** Paths are empty where the feature is not used. */
export interface SecurityConfig {
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly tlsClientCa: string;
  readonly apiKeys: string;
  readonly adminAccess: 'key' | 'off';
  /** Requests a second; 0: no limit. */
  readonly rateLimit: number;
  readonly rateBurst: number;
  readonly reloadIntervalMs: number;
}

export interface SecurityEvents {
  onTls(material: TlsMaterial): void;
  onReload(what: 'certificates' | 'API keys'): void;
  /** What was read before stays in force. */
  onError(error: LcqError): void;
}

/** Certificates, keys and limits as configured; certificates and keys follow their files. */
export class Security {
  readonly access: AccessControl;
  readonly #tls: WatchedFiles<TlsMaterial> | undefined;
  readonly #keys: WatchedFiles<ApiKeys> | undefined;

  /** Throws NOT_FOUND or INVALID_ARGUMENT for files that cannot be used, or not alone. */
  constructor(config: SecurityConfig, events: SecurityEvents) {
    const { tlsCert, tlsKey, tlsClientCa, apiKeys, rateLimit, rateBurst } = config;
    const watching = { intervalMs: config.reloadIntervalMs, onError: events.onError };
    if ((tlsCert === '') !== (tlsKey === '') || (tlsClientCa !== '' && tlsCert === '')) {
      const message = 'TLS takes both tlsCert and tlsKey, and tlsClientCa only beside them';
      throw new LcqError('INVALID_ARGUMENT', message);
    }
    const tlsFiles = [tlsCert, tlsKey, tlsClientCa].filter((path) => path !== '');
    this.#tls =
      tlsFiles.length === 0
        ? undefined
        : new WatchedFiles(tlsFiles, {
            ...watching,
            read: tlsMaterial,
            onChange: (material) => {
              events.onTls(material);
              events.onReload('certificates');
            },
          });
    this.#keys =
      apiKeys === ''
        ? undefined
        : new WatchedFiles([apiKeys], {
            ...watching,
            read: ([file]) => new ApiKeys(file.toString()),
            onChange: () => events.onReload('API keys'),
          });
    this.access = new AccessControl({
      keys: () => this.#keys?.value,
      adminAccess: config.adminAccess,
      limiter: rateLimit > 0 ? new RateLimiter(rateLimit, rateBurst) : undefined,
    });
  }

  /** Undefined: the ports take plain connections. */
  get tls(): TlsMaterial | undefined {
    return this.#tls?.value;
  }

  /** When the server's certificate ends; undefined: no TLS. */
  get certificateExpiry(): Date | undefined {
    return this.tls && new Date(new X509Certificate(this.tls.cert).validTo);
  }

  close(): void {
    this.#tls?.close();
    this.#keys?.close();
  }
}
