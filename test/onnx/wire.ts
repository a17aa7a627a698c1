/** Protobuf fields written by hand, to make files that encodeModel would not. */

export function varint(value: number | bigint): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}

/** A field of the varint wire type. */
export function integer(field: number, value: number | bigint): number[] {
  return [...varint(field << 3), ...varint(value)];
}

/** A length-delimited field: text, bytes, a message or packed numbers. */
export function delimited(field: number, content: string | ArrayLike<number>): number[] {
  const bytes = typeof content === 'string' ? [...Buffer.from(content)] : Array.from(content);
  return [...varint((field << 3) | 2), ...varint(bytes.length), ...bytes];
}

/** A model whose graph holds the given fields. */
export function modelBytes(...graphFields: readonly number[][]): Uint8Array {
  return Uint8Array.from([...integer(1, 10), ...delimited(7, graphFields.flat())]);
}

/** GraphProto.initializer with the given fields of TensorProto, named "t". */
export function initializer(...fields: readonly number[][]): number[] {
  return delimited(5, [...delimited(8, 't'), ...fields.flat()]);
}

/** GraphProto.node with one attribute "a" made of the given fields of AttributeProto. */
export function nodeWithAttribute(...fields: readonly number[][]): number[] {
  const attribute = [...delimited(1, 'a'), ...fields.flat()];
  return delimited(1, [...delimited(3, 'n'), ...delimited(4, 'Op'), ...delimited(5, attribute)]);
}
