/** What the campaigns do to something valid: arbitraries of damaged bytes, texts and JSON values. */
import fc, { type Arbitrary } from 'fast-check';

/** One change to bytes; `at` and `length` are reduced to what is there. */
interface ByteEdit {
  readonly kind: 'flip' | 'set' | 'insert' | 'remove' | 'repeat' | 'cut' | 'number';
  readonly at: number;
  readonly length: number;
  readonly bytes: Uint8Array;
}

const byteEdit: Arbitrary<ByteEdit> = fc.record({
  kind: fc.constantFrom('flip', 'set', 'insert', 'remove', 'repeat', 'cut', 'number'),
  at: fc.nat(),
  length: fc.integer({ min: 1, max: 64 }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }),
});

/** Bytes with up to `most` changes. */
export const damaged = (bytes: Buffer, most = 4): Arbitrary<Buffer> =>
  fc
    .array(byteEdit, { minLength: 1, maxLength: most })
    .map((edits) => edits.reduce(applyByteEdit, bytes));

function applyByteEdit(bytes: Buffer, edit: ByteEdit): Buffer {
  const at = bytes.length === 0 ? 0 : edit.at % bytes.length;
  const head = bytes.subarray(0, at);
  const tail = (length: number) => bytes.subarray(at + length);
  switch (edit.kind) {
    case 'flip':
      return Buffer.concat([head, Buffer.of((bytes[at] ?? 0) ^ (1 << (edit.length % 8))), tail(1)]);
    case 'set':
      return Buffer.concat([head, edit.bytes, tail(edit.bytes.length)]);
    case 'insert':
      return Buffer.concat([head, edit.bytes, tail(0)]);
    case 'remove':
      return Buffer.concat([head, tail(edit.length)]);
    case 'repeat':
      return Buffer.concat([head, bytes.subarray(at, at + edit.length), tail(0)]);
    case 'cut':
      return Buffer.from(head);
    // Lengths and sizes in headers: the values at which arithmetic goes wrong.
    case 'number':
      return Buffer.concat([head, EXTREMES[edit.length % EXTREMES.length], tail(4)]);
  }
}

const EXTREMES = ['00000000', 'ffffffff', '7fffffff', '80000000', '0000ffff', 'ffff0000'].map(
  (hex) => Buffer.from(hex, 'hex'),
);

/** Texts that parsers, paths, headers and file systems have stumbled over. */
export const oddText: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...['', ' ', '..', '../..', '/', '%', '%zz', '%00', '%2e%2e%2f', '\0', '\ud800', 'a\udfff'],
    ...['__proto__', 'constructor', 'toString', 'null', 'undefined', 'NaN', '-1', '0', '1e309'],
    ...['99999999999999999999', '\u202e', '😀', `${'x'.repeat(1023)}😀`, 'é'.repeat(300), '{}'],
  ),
  fc.string({ unit: 'binary', maxLength: 24 }),
  fc.integer({ min: 1, max: 20_000 }).map((length) => 'A'.repeat(length)),
);

/** JSON values out of place anywhere. */
const oddValue: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], 0, -1, 0.5, -0),
  fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 1e21, 1e308, -1e308, 5e-324),
  oddText,
  fc.integer({ min: 2, max: 2000 }).map((depth) => nest(depth, (inner) => [inner])),
  fc.integer({ min: 2, max: 2000 }).map((depth) => nest(depth, (inner) => ({ a: inner }))),
  fc.integer({ min: 1, max: 5000 }).map((length) => new Array<number>(length).fill(0)),
);

function nest(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 0;
  for (let i = 0; i < depth; i++) value = wrap(value);
  return value;
}

/** A JSON value in which up to three places are replaced, removed, renamed or doubled. */
export const damagedJson = (value: unknown): Arbitrary<unknown> =>
  fc
    .array(fc.tuple(fc.nat(), fc.constantFrom('set', 'remove', 'rename', 'double'), oddValue), {
      minLength: 1,
      maxLength: 3,
    })
    .map((edits) => {
      const root = { value: structuredClone(value) };
      for (const [at, kind, odd] of edits) editPlace(root, at, kind, odd);
      return root.value;
    });

function editPlace(root: object, at: number, kind: string, odd: unknown): void {
  const places = placesIn(root);
  // Earlier edits may have left nothing.
  if (places.length === 0) return;
  const [holder, key] = places[at % places.length];
  if (kind === 'set') holder[key] = odd;
  else if (kind === 'remove' && Array.isArray(holder)) holder.splice(Number(key), 1);
  else if (kind === 'remove') delete holder[key];
  else if (kind === 'double' && Array.isArray(holder)) holder.push(holder[Number(key)]);
  else holder[`${typeof odd === 'string' ? odd : 'more'}`] = holder[key];
}

type Holder = Record<string, unknown>;

const MAX_DEPTH = 8;

/** Every value in a value, as the object that holds it and its key; long arrays of data count as one. */
function placesIn(holder: object, depth = 0): [Holder, string][] {
  return Object.entries(holder).flatMap(([key, value]): [Holder, string][] => {
    const here: [Holder, string] = [holder as Holder, key];
    const isOpen = typeof value === 'object' && value !== null && depth < MAX_DEPTH;
    if (!isOpen || Object.keys(value).length > 32) return [here];
    return [here, ...placesIn(value, depth + 1)];
  });
}
