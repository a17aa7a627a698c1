import type { PackageDefinition } from '@grpc/proto-loader';
import descriptor, { type IDescriptorProto } from 'protobufjs/ext/descriptor/index.js';

/**
 * The same contracts with descriptors that strict clients (grpcurl) take: proto-loader names the entries of map fields
 * after the field alone, and the language says `NameEntry`.
 */
export function reflected(definition: PackageDefinition): PackageDefinition {
  const renamed = new Map<Buffer, Buffer>();
  const fix = (bytes: Buffer) => {
    const known = renamed.get(bytes);
    if (known !== undefined) return known;
    const file = descriptor.FileDescriptorProto.decode(bytes) as unknown as {
      messageType: IDescriptorProto[];
    };
    for (const message of file.messageType) nameMapEntries(message);
    const encoded = Buffer.from(descriptor.FileDescriptorProto.encode(file).finish());
    renamed.set(bytes, encoded);
    return encoded;
  };
  const entries = Object.entries(definition).map(([name, part]) => [
    name,
    Array.isArray(part.fileDescriptorProtos)
      ? { ...part, fileDescriptorProtos: part.fileDescriptorProtos.map(fix) }
      : part,
  ]);
  return Object.fromEntries(entries);
}

function nameMapEntries(message: IDescriptorProto): void {
  for (const nested of message.nestedType ?? []) {
    nameMapEntries(nested);
    if (nested.options?.mapEntry !== true) continue;
    const field = message.field?.find(({ typeName }) => typeName === nested.name);
    if (field === undefined) continue;
    const words = (field.name ?? '').split('_');
    nested.name = `${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')}Entry`;
    field.typeName = nested.name;
  }
}
