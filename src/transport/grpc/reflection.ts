import type { handleBidiStreamingCall, MethodDefinition, Server } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import descriptor, { type IDescriptorProto } from 'protobufjs/ext/descriptor/index.js';

type Handler = handleBidiStreamingCall<unknown, unknown>;
type Method = MethodDefinition<unknown, unknown> & { readonly handler: Handler };

/** Of both versions that are in use. */
const PATHS = ['v1', 'v1alpha'].map(
  (version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
);

/** Answers server reflection, made when it is first asked for: few ask, and it takes a third of a start. */
export function addReflection(server: Server, definition: PackageDefinition): void {
  let methods: Map<string, Method> | undefined;
  const method = (path: string) => {
    methods ??= reflectionMethods(definition);
    return methods.get(path) as Method;
  };
  for (const path of PATHS) {
    const handle: Handler = (call) => method(path).handler(call);
    server.register(
      path,
      handle,
      (reply) => method(path).responseSerialize(reply),
      (bytes) => method(path).requestDeserialize(bytes),
      'bidi',
    );
  }
}

function reflectionMethods(definition: PackageDefinition): Map<string, Method> {
  const methods = new Map<string, Method>();
  new ReflectionService(reflected(definition)).addToServer({
    addService: (service, implementation) => {
      for (const [name, method] of Object.entries(service)) {
        methods.set(method.path, { ...method, handler: implementation[name] as Handler });
      }
    },
  });
  return methods;
}

/**
 * The same contracts with descriptors that strict clients (grpcurl) take: proto-loader names the entries of map fields
 * after the field alone, and the language says `NameEntry`.
 */
function reflected(definition: PackageDefinition): PackageDefinition {
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
