import { ServerCredentials } from '@grpc/grpc-js';
import type { TlsMaterial } from '../../security/tls-material.js';

/** Credentials whose certificates can be replaced: connections from then on see the new ones. */
export class ReloadableCredentials extends ServerCredentials {
  constructor(material: TlsMaterial) {
    super({ requestCert: material.ca !== undefined }, { ...material });
  }

  replace(material: TlsMaterial): void {
    this.updateSecureContextOptions({ ...material });
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
